// SPDX-License-Identifier: Apache-2.0
// The warnings that several rooms raise, and those about berthd itself.
#include "host/warning/kinds.h"

#include "host/warning/run_mark.h"
#include "tests/host/warning/book.h"

#include <filesystem>
#include <fstream>

using namespace berth;
using namespace berth::warning;
using store::WarningStatus;

TEST_CASE("what was put right is drift that is over, and ends what had failed before") {
    Book book;
    tell_not_repaired(*book.warnings, Severity::error, "container/ada", "it cannot be removed",
                      make_error(ErrorCode::busy, "it is busy"));
    const auto failed = book.only();
    CHECK(failed.type == reconcile_failed);
    CHECK(failed.message == "it cannot be removed: it is busy");
    CHECK(failed.next.starts_with("remove the cause; "));
    tell_repaired(*book.warnings, "container/ada", "it was removed");
    const auto page = book.warnings->list({}).value();
    REQUIRE(page.total == 2);
    for (const auto& one : page.warnings) CHECK(one.status == WarningStatus::resolved);
}

TEST_CASE("the next step of what failed is that of its error") {
    Book book;
    tell_not_repaired(*book.warnings, Severity::error, "network", "the forwards cannot be written",
                      make_error(ErrorCode::unavailable, "no nft").next("install nftables"));
    CHECK(book.only().next.starts_with("install nftables; "));
}

TEST_CASE("each deprecated option is one warning, which says what to use instead") {
    Book book;
    for (int use = 0; use < 3; ++use)
        tell_deprecated(*book.warnings, "tool/container_create", "cores", "use cpu_percent");
    const auto one = book.only();
    CHECK(one.count == 3);
    CHECK(one.entity == "tool/container_create/cores");
    CHECK(one.next == "use cpu_percent");
    CHECK(one.message.contains("'cores'"));
    tell_deprecated(*book.warnings, "tool/container_create", "ram", "use memory_bytes");
    CHECK(book.listed() == 2);
}

TEST_CASE("a run of berthd that was not stopped is a warning until one was") {
    Book book;
    const auto path = book.directory.path() / "running";
    {
        const RunMark first(path, *book.warnings);
    }
    CHECK(book.listed() == 0);
    for (int crash = 1; crash <= 2; ++crash) {
        std::ofstream(path) << "left behind";
        const RunMark after(path, *book.warnings);
        CHECK(std::filesystem::exists(path));
        CHECK(book.only().type == service_ended);
        CHECK(book.only().count == crash);
        CHECK(book.only().status == WarningStatus::fresh);
    }
    CHECK_FALSE(std::filesystem::exists(path));
    const RunMark next(path, *book.warnings);
    CHECK(book.only().status == WarningStatus::resolved);
}
