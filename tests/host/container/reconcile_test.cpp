// SPDX-License-Identifier: Apache-2.0
// What a start of berthd finds amiss is told as warnings, and so is what it cannot put right.
#include "host/warning/kinds.h"
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

using namespace berth;
using namespace std::chrono_literals;
using store::WarningStatus;

namespace {

/// The status of the warning of that type and entity; nothing when there is none.
std::optional<WarningStatus> status_of(FakeHost& host, std::string_view type,
                                       const std::string& entity) {
    const auto page =
        host.warnings->list({.type = std::string(type), .entity = entity, .acknowledged = true})
            .value();
    return page.warnings.empty() ? std::nullopt : std::optional(page.warnings.front().status);
}

void has_remains(FakeHost& host) {
    engine::Spec spec;
    spec.id = "0123456789";
    REQUIRE(host.engine.create(spec, {}));
}

void has_half_made(FakeHost& host) {
    REQUIRE(host.registry->invoke("container_create", {{"name", "half"}, {"start", false}}, {}));
    store::Containers rows(*host.database);
    REQUIRE(rows.set_phase(rows.find_by_name("half").value()->id, store::Phase::creating));
}

}  // namespace

TEST_CASE("what a start puts right is told as drift that is over", "[reconcile]") {
    if (!privileged()) return;
    FakeHost host;
    has_remains(host);
    has_half_made(host);
    host.restart();
    CHECK(status_of(host, warning::drift, "remains/0123456789") == WarningStatus::resolved);
    CHECK(status_of(host, warning::drift, "container/half") == WarningStatus::resolved);
    CHECK(host.remaining() == 0);
    CHECK(host.warnings->count_new().value() == 0);
}

TEST_CASE("a half-made container that cannot be removed is a warning until it can be",
          "[reconcile]") {
    if (!privileged()) return;
    FakeHost host;
    has_half_made(host);
    host.engine.fail_next("destroy");
    host.restart();
    host.containers->finish_removals(10s);
    CHECK(status_of(host, warning::reconcile_failed, "container/half") == WarningStatus::resolved);
    CHECK(store::Containers(*host.database).all().value().empty());
    CHECK(host.remaining() == 0);
}

TEST_CASE("remains that hold nothing in the store and cannot be removed end the start",
          "[reconcile]") {
    if (!privileged()) return;
    FakeHost host;
    has_remains(host);
    host.engine.fail_next("destroy");
    CHECK_FALSE(host.containers->reconcile());
    CHECK(status_of(host, warning::reconcile_failed, "remains/0123456789") == WarningStatus::fresh);
    host.restart();
    CHECK(status_of(host, warning::reconcile_failed, "remains/0123456789") ==
          WarningStatus::resolved);
}

TEST_CASE("forwards that cannot be written are a critical warning until they are", "[reconcile]") {
    if (!privileged()) return;
    FakeHost host;
    host.network.refuse = true;
    host.restart();
    CHECK(status_of(host, warning::reconcile_failed, "network") == WarningStatus::fresh);
    CHECK(host.warnings->list({.severity = store::Severity::critical}).value().total == 1);
    host.network.refuse = false;
    host.restart();
    CHECK(status_of(host, warning::reconcile_failed, "network") == WarningStatus::resolved);
}

TEST_CASE("forwards that somebody else had changed are drift that is over", "[reconcile]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.registry->invoke("container_create", {{"name", "web"}, {"start", false}}, {}));
    host.network.found_changed = true;
    REQUIRE(host.registry->invoke("port_add", {{"container", "web"}, {"container_port", 80}}, {}));
    CHECK(status_of(host, warning::drift, "network") == WarningStatus::resolved);
}

TEST_CASE("what is told of a container that is gone is over at the next start", "[reconcile]") {
    if (!privileged()) return;
    FakeHost host;
    warning::tell_not_repaired(*host.warnings, warning::Severity::error, "container/gone",
                               "it cannot be stopped", make_error(ErrorCode::unavailable, "no"));
    host.warnings->raise(
        {.type = "made_up", .entity = "feature/made_up", .message = "it is missing", .next = ""});
    host.restart();
    CHECK(status_of(host, warning::reconcile_failed, "container/gone") == WarningStatus::resolved);
    CHECK(status_of(host, "made_up", "feature/made_up") == WarningStatus::fresh);
}
