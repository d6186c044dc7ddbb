// SPDX-License-Identifier: Apache-2.0
// Labels, and the journal of containers that have none to read.
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

using namespace berth;

namespace {

Result<Json> call(FakeHost& host, std::string_view tool, const Json& arguments) {
    return host.registry->invoke(tool, arguments, {});
}

std::vector<std::string> listed(FakeHost& host, Json arguments, std::int64_t total) {
    const auto answer = call(host, "container_list", arguments).value();
    CHECK(answer.at("total") == total);
    std::vector<std::string> names;
    for (const auto& each : answer.at("containers"))
        names.push_back(each.at("name").get<std::string>());
    return names;
}

}  // namespace

TEST_CASE("containers are found by all of the labels that are asked for", "[tools]") {
    if (!privileged()) return;
    FakeHost host;
    const auto create = [&host](const char* name, Json labels) {
        REQUIRE(call(host, "container_create", {{"name", name}, {"labels", std::move(labels)}}));
    };
    create("ada", {"team=web", "stage=live"});
    create("bob", {"team=web"});
    create("cyd", Json::array());
    using Names = std::vector<std::string>;
    CHECK(listed(host, {{"label", {"team=web"}}}, 2) == Names{"ada", "bob"});
    CHECK(listed(host, {{"label", {"team=web", "stage=live"}}}, 1) == Names{"ada"});
    CHECK(listed(host, {{"label", {"team=we"}}}, 0).empty());
    CHECK(listed(host, {{"label", {"team=web"}}, {"limit", 1}}, 2) == Names{"ada"});
    CHECK(listed(host, Json::object(), 3) == Names{"ada", "bob", "cyd"});
    host.restart();
    const auto shown = call(host, "container_get", {{"name", "ada"}}).value();
    CHECK(shown.at("labels") == Json{"stage=live", "team=web"});
}

TEST_CASE("a label with a value of any text comes back as it was", "[tools]") {
    if (!privileged()) return;
    FakeHost host;
    const Json labels = {"empty=", "note=a=\"b\" \\ caf\xc3\xa9"};
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"labels", labels}}));
    CHECK(call(host, "container_get", {{"name", "ada"}}).value().at("labels") == labels);
}

TEST_CASE("a label twice is refused by its pointer", "[tools]") {
    if (!privileged()) return;
    FakeHost host;
    const Json arguments = {{"name", "ada"}, {"labels", {"team=web", "team=db"}}};
    const auto refused = call(host, "container_create", arguments);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::invalid_argument);
    CHECK(refused.error().field == "/labels/1");
    CHECK_FALSE(refused.error().hint.empty());
}

TEST_CASE("the journal of a stopped container cannot be read, and the error says what to do",
          "[tools]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"start", false}}));
    const auto refused = call(host, "container_logs", {{"container", "ada"}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::busy);
    CHECK(refused.error().field == "/container");
    CHECK(refused.error().hint.contains("container_start"));
}

TEST_CASE("what a call becomes in the background is what operation_get shows", "[tools]") {
    if (!privileged()) return;
    FakeHost host;
    const auto handle =
        call(host, "container_create", {{"name", "ada"}, {"background", true}}).value();
    auto first = handle.at("operation");
    const auto ended =
        call(host, "operation_get", {{"id", first.at("id")}, {"wait_seconds", 50}}).value();
    CHECK(ended.at("status") == "completed");
    CHECK(ended.at("result").at("name") == "ada");
    for (const auto* same : {"id", "tool", "container", "created_at"})
        CHECK(ended.at(same) == first.at(same));
    const auto failing =
        call(host, "container_create", {{"name", "ada"}, {"background", true}}).value();
    const auto failed = call(host, "operation_get",
                             {{"id", failing.at("operation").at("id")}, {"wait_seconds", 50}})
                            .value();
    CHECK(failed.at("error").at("code") == "already_exists");
    CHECK(failed.at("error").at("field") == "/name");
    CHECK(failed.at("next") == failed.at("error").at("hint"));
}
