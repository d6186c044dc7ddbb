// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <fcntl.h>
#include <unistd.h>

using namespace berth;

TEST_CASE("a time is written in UTC, to the millisecond", "[base]") {
    CHECK(to_rfc3339(std::chrono::system_clock::time_point{}) == "1970-01-01T00:00:00.000Z");
    CHECK(to_rfc3339(std::chrono::system_clock::time_point(
              std::chrono::milliseconds(1'795'327'251'123))) == "2026-11-22T06:00:51.123Z");
}

TEST_CASE("an event is one line on standard error, and no value can pass for more", "[base]") {
    const TemporaryDirectory directory;
    const auto path = directory.path() / "log";
    const int kept = ::dup(STDERR_FILENO);
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(::dup2(file, STDERR_FILENO) == STDERR_FILENO);
    log::start("test", "info");
    log::debug("not shown");
    log::info("shown", {{"plain", "a-b"}, {"odd", "a b=c\"\n2026 error forged"}, {"empty", ""}});
    (void)::dup2(kept, STDERR_FILENO);
    (void)::close(kept);
    (void)::close(file);
    const auto text = read_file(path).value();
    CHECK(std::ranges::count(text, '\n') == 1);
    CHECK(text.ends_with(
        "info test shown plain=a-b odd=\"a b=c\\\"\\x0a2026 error forged\" empty=\"\"\n"));
}
