// SPDX-License-Identifier: Apache-2.0
// Calls with a request_id that berthd's end has cut short at one point or another, and that come
// again.
#include "host/operation/digest.h"
#include "host/store/requests.h"
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

using namespace berth;

namespace {

/// As if berthd had been killed after the work was done and before its result was kept.
void forget_results(FakeHost& host) {
    REQUIRE(host.database->run("UPDATE requests SET result = NULL"));
    host.restart();
}

Json with_id(Json arguments) {
    arguments["request_id"] = "r";
    return arguments;
}

std::int64_t containers(FakeHost& host) {
    return host.registry->invoke("container_list", Json::object(), {})
        .value()
        .at("total")
        .get<std::int64_t>();
}

}  // namespace

TEST_CASE("a create that was done is answered as done, and one that was not is made", "[tools]") {
    if (!privileged()) return;
    FakeHost host;
    const auto call = with_id({{"name", "ada"}});
    const auto made = host.registry->invoke("container_create", call, {}).value();
    SECTION("done") {
        forget_results(host);
        CHECK(host.registry->invoke("container_create", call, {}).value() == made);
    }
    SECTION("half-way") {
        REQUIRE(host.database->run("UPDATE containers SET phase = 'creating'"));
        forget_results(host);
        const auto again = host.registry->invoke("container_create", call, {}).value();
        CHECK(again.at("id") != made.at("id"));
    }
    CHECK(containers(host) == 1);
    CHECK(host.remaining() == 1);
}

TEST_CASE("somebody else's container of that name is not taken for one's own", "[tools]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.registry->invoke("container_create", {{"name", "ada"}}, {}));
    const auto call = with_id({{"name", "ada"}});
    CHECK(host.registry->invoke("container_create", call, {}).error().code ==
          ErrorCode::already_exists);
    // Killed in the middle of that call: its row is there, and older things are no work of its.
    store::Requests requests(*host.database);
    REQUIRE(requests.insert({.caller = "",
                             .key = "r",
                             .tool = "container_create",
                             .arguments = operation::digest_of(call),
                             .created_at = "9999-01-01T00:00:00.000Z"},
                            "", 10));
    CHECK(host.registry->invoke("container_create", call, {}).error().code ==
          ErrorCode::already_exists);
}

TEST_CASE("a delete that was done is answered as done, whoever has the name now", "[tools]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.registry->invoke("container_create", {{"name", "ada"}}, {}));
    const auto call = with_id({{"name", "ada"}, {"force", true}});
    const auto deleted = host.registry->invoke("container_delete", call, {}).value();
    const bool taken = GENERATE(false, true);
    if (taken) REQUIRE(host.registry->invoke("container_create", {{"name", "ada"}}, {}));
    forget_results(host);
    CHECK(host.registry->invoke("container_delete", call, {}).value() == deleted);
    CHECK(containers(host) == (taken ? 1 : 0));
}

TEST_CASE("a delete of nothing stays one", "[tools]") {
    if (!privileged()) return;
    FakeHost host;
    const auto call = with_id({{"name", "ada"}});
    CHECK(host.registry->invoke("container_delete", call, {}).error().code == ErrorCode::not_found);
    CHECK(host.registry->invoke("container_delete", call, {}).error().code == ErrorCode::not_found);
}

TEST_CASE("a forward is added once and removed once", "[tools]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.registry->invoke("container_create", {{"name", "ada"}}, {}));
    const auto add = with_id({{"container", "ada"}, {"container_port", 80}});
    const auto added = host.registry->invoke("port_add", add, {}).value();
    forget_results(host);
    CHECK(host.registry->invoke("port_add", add, {}).value() == added);
    CHECK(host.containers->list().value().front().ports.size() == 1);

    const Json remove = {{"host_port", added.at("host_port")}, {"request_id", "s"}};
    const auto removed = host.registry->invoke("port_remove", remove, {}).value();
    forget_results(host);
    CHECK(host.registry->invoke("port_remove", remove, {}).value() == removed);
}
