// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/catalogue_tools.h"

#include "mcp-server/protocol/results.h"
#include "tests/mcp-server/offer/told_host.h"
#include "tests/support/catch.h"

#include <array>

using namespace berth;
using namespace berth::mcp;

namespace {

constexpr std::array<ToolSpec, 2> specs = {
    ToolSpec{.name = "long_one", .long_running = true, .listing = R"({"name":"long_one"})"},
    ToolSpec{.name = "short_one", .listing = R"({"name":"short_one"})"}};

const Json still_running = {{"operation",
                             {{"id", "op_1"},
                              {"tool", "long_one"},
                              {"status", "working"},
                              {"created_at", "2026-11-22T06:00:00.000Z"},
                              {"updated_at", "2026-11-22T06:00:00.000Z"}}}};

struct Fixture {
    ToldHost host;
    SystemClock clock;
    policy::Policy policy;
    policy::ConfirmTokens tokens{auth::SealKey::random(), clock};
    Gate gate{host, policy, tokens, clock};
    CatalogueTools tools{host, gate, specs};
    Asked asked = plain_request();

    Fixture() {
        host.gives("long_one", still_running);
        host.gives("short_one", {{"name", "ada"}});
    }
    void knows_tasks() {
        asked.client.capabilities = {{"extensions", {{tasks_extension, Json::object()}}}};
    }
    std::optional<std::chrono::milliseconds> background_after() {
        return host.invoked().back().call.background_after;
    }
};

}  // namespace

TEST_CASE("the tools are listed in the order of the catalogue and as it has them") {
    Fixture test;
    REQUIRE(test.tools.entries().size() == 2);
    CHECK(test.tools.entries()[0].listing == R"({"name":"long_one"})");
    CHECK(test.tools.entries()[1].name == "short_one");
    const CatalogueTools all(test.host, test.gate);
    CHECK(all.entries().size() == tool_catalogue().size());
}

TEST_CASE("a tool's answer and its error go through unchanged") {
    Fixture test;
    const auto answer = test.tools.call("short_one", Json::object(), test.asked);
    REQUIRE(answer);
    CHECK(std::get<TypedOutput>(*answer).value == Json{{"name", "ada"}});
    test.host.down = true;
    CHECK(error_of(test.tools.call("short_one", Json::object(), test.asked)).hint ==
          "start berthd");
    CHECK(fault_code(test.tools.call("nosuch", Json::object(), test.asked)) == -32602);
}

TEST_CASE("a next step that the caller may not make is told in words alone") {
    Fixture test;
    test.host.fails(
        "short_one",
        make_error(ErrorCode::busy, "it is paused").call("container_resume", {{"name", "ada"}}));
    const auto whole = error_of(test.tools.call("short_one", Json::object(), test.asked));
    CHECK(whole.next_call->text() == R"(container_resume {"name":"ada"})");
    test.asked.client.tools = std::make_shared<const ToolScope>(ToolScope{
        .key = "one", .allows = [](std::string_view tool) { return tool == "short_one"; }});
    const auto words = error_of(test.tools.call("short_one", Json::object(), test.asked));
    CHECK_FALSE(words.next_call);
    CHECK(words.hint.contains("toolset 'container'"));
}

TEST_CASE("only a tool that takes long is ever let go on in the background") {
    Fixture test;
    if (GENERATE(true, false)) test.knows_tasks();
    (void)test.tools.call("short_one", Json::object(), test.asked);
    CHECK_FALSE(test.background_after());
    // An answer that only looks like an operation is a result.
    test.host.gives("short_one", still_running);
    const auto answer = test.tools.call("short_one", Json::object(), test.asked);
    REQUIRE(answer);
    CHECK(std::get<TypedOutput>(*answer).value == still_running);
}

TEST_CASE("a client of the tasks extension gets a task for what is not there soon") {
    Fixture test;
    test.knows_tasks();
    if (GENERATE(true, false)) test.asked.call.report = [](const Progress&) {};
    auto answer = test.tools.call("long_one", Json::object(), test.asked);
    REQUIRE(answer);
    REQUIRE(std::holds_alternative<Task>(*answer));
    CHECK(std::get<Task>(*answer).id == "op_1");
    CHECK(test.background_after() == task_after);

    test.host.gives("long_one", {{"name", "ada"}});
    answer = test.tools.call("long_one", Json::object(), test.asked);
    REQUIRE(answer);
    CHECK(std::get<TypedOutput>(*answer).value["name"] == "ada");
}

TEST_CASE("a client without tasks and without progress gets an operation before it gives up") {
    Fixture test;
    const auto answer = test.tools.call("long_one", Json::object(), test.asked);
    REQUIRE(answer);
    CHECK(test.background_after() == operation_after);
    const Json result = tool_result(std::get<TypedOutput>(*answer));
    CHECK(result["structuredContent"]["operation"]["id"] == "op_1");
    const std::string text = result["content"][0]["text"];
    CHECK(text.contains(R"(call operation_get {"id":"op_1","wait_seconds":30})"));
    CHECK(text.contains("operation_cancel"));
}

TEST_CASE("a client that hears of progress waits for the result") {
    Fixture test;
    test.asked.call.report = [](const Progress&) {};
    (void)test.tools.call("long_one", Json::object(), test.asked);
    CHECK_FALSE(test.background_after());
}

TEST_CASE("who asks for the background gets the operation and no task") {
    Fixture test;
    if (GENERATE(true, false)) test.knows_tasks();
    const auto answer = test.tools.call("long_one", {{"background", true}}, test.asked);
    REQUIRE(answer);
    CHECK_FALSE(test.background_after());
    CHECK(std::get<TypedOutput>(*answer).value["operation"]["id"] == "op_1");
}
