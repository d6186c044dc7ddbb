// SPDX-License-Identifier: Apache-2.0
// What transcripts cannot say: HTTP headers and statuses, and the bytes of both eras.
#include "mcp-server/protocol/dispatcher.h"

#include "fixture_server.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::mcp;

namespace {

struct Server {
    SystemClock clock;
    FixtureServer fixtures;
    Dispatcher dispatcher{fixtures.offer(), fixtures.hub(),
                          auth::Seals(auth::SealKey::random(), clock)};
};

constexpr const char* envelope =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
    R"("io.modelcontextprotocol/clientCapabilities":{}})";

std::string modern(const std::string& method, const std::string& members = "") {
    return R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{)" + members +
           envelope + "}}";
}

HttpHeaders headers_for(std::string method, std::string name = "") {
    HttpHeaders headers = {{"mcp-protocol-version", "2026-07-28"},
                           {"mcp-method", std::move(method)}};
    if (!name.empty()) headers.emplace("mcp-name", std::move(name));
    return headers;
}

struct Answer {
    int status;
    int code;
    Json body;
};

Answer ask(const std::string& text, const HttpHeaders& headers,
           SessionState state = SessionState::missing, std::string version = "") {
    const Server server;
    RequestContext context{.headers = &headers, .session_state = state};
    if (state == SessionState::open) {
        context.session = std::make_shared<berth::mcp::Session>(std::move(version), Json::object());
    }
    const Outcome outcome = server.dispatcher.answer(text, context);
    const Json body = outcome.text.empty() ? Json() : Json::parse(outcome.text);
    const bool failed = body.is_object() && body.contains("error");
    return {outcome.http_status, failed ? body["error"]["code"].get<int>() : 0, body};
}

}  // namespace

TEST_CASE("a modern request over HTTP must repeat itself in its headers") {
    const std::string call = modern("tools/call", R"("name":"test_simple_text",)");
    CHECK(ask(call, headers_for("tools/call", "test_simple_text")).code == 0);
    CHECK(ask(call, headers_for("tools/call", " \ttest_simple_text ")).code == 0);
    CHECK(ask(call, headers_for("tools/call", "=?base64?dGVzdF9zaW1wbGVfdGV4dA==?=")).code == 0);

    const auto wrong = GENERATE_COPY(
        HttpHeaders{}, headers_for("tools/list", "test_simple_text"), headers_for("tools/call"),
        headers_for("tools/call", "other"), headers_for("TOOLS/CALL", "test_simple_text"),
        headers_for("tools/call", "=?base64?dGVzdF9zaW1wbGVfdGV4dA?="),
        headers_for("tools/call", "=?base64?!!!!?="),
        HttpHeaders{{"mcp-protocol-version", "2025-11-25"}},
        HttpHeaders{{"mcp-protocol-version", "2026-07-28"}, {"mcp-name", "test_simple_text"}},
        HttpHeaders{{"mcp-protocol-version", "2026-07-28"},
                    {"mcp-protocol-version", "2026-07-28"},
                    {"mcp-method", "tools/call"},
                    {"mcp-name", "test_simple_text"}});
    const auto answer = ask(call, wrong);
    CHECK(answer.status == 400);
    CHECK(answer.code == -32020);
    CHECK(answer.body["id"] == 1);
}

TEST_CASE("an unsupported version is told apart from a mismatch") {
    std::string text = modern("tools/list");
    text.replace(text.find("2026-07-28"), 10, "v999.0.0");
    const auto both = ask(text, {{"mcp-protocol-version", "v999.0.0"}});
    CHECK(both.status == 400);
    CHECK(both.code == -32022);
    CHECK(both.body["error"]["data"]["requested"] == "v999.0.0");
    CHECK(both.body["error"]["data"]["supported"].size() == 5);
    CHECK(ask(text, headers_for("tools/list")).code == -32020);
}

TEST_CASE("a modern header without an envelope is -32602, but initialize is a mismatch") {
    const std::string bare = R"({"jsonrpc":"2.0","id":"a","method":"tools/list"})";
    const auto answer = ask(bare, headers_for("tools/list"));
    CHECK(answer.status == 400);
    CHECK(answer.code == -32602);
    CHECK(answer.body["id"] == "a");
    CHECK(answer.body["error"]["data"]["envelope"]["missing"].size() == 2);
    const auto begin = ask(
        R"({"jsonrpc":"2.0","id":1,"method":"initialize",
                          "params":{"protocolVersion":"2025-11-25"}})",
        headers_for("initialize"));
    CHECK(begin.status == 400);
    CHECK(begin.code == -32020);
}

TEST_CASE("methods of other eras are 404 in modern and 200 in legacy") {
    const auto method = GENERATE(as<std::string>(), "initialize", "ping", "logging/setLevel",
                                 "resources/subscribe", "nonsense");
    const auto answer = ask(modern(method), headers_for(method));
    CHECK(answer.status == 404);
    CHECK(answer.code == -32601);
    const auto legacy = ask(R"({"jsonrpc":"2.0","id":1,"method":"server/discover"})", {},
                            SessionState::open, "2025-11-25");
    CHECK(legacy.status == 200);
    CHECK(legacy.code == -32601);
}

TEST_CASE("a legacy message over HTTP needs a session, unless it begins one") {
    const std::string list = R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})";
    CHECK(ask(list, {}, SessionState::missing).status == 400);
    const auto unknown = ask(list, {}, SessionState::unknown);
    CHECK(unknown.status == 404);
    CHECK(unknown.code == -32001);
    CHECK(ask(R"({"jsonrpc":"2.0","method":"x"})", {}, SessionState::unknown).status == 404);
    CHECK(ask(R"({"jsonrpc":"2.0","method":"x"})", {}, SessionState::open).status == 202);
    CHECK(ask(R"({"jsonrpc":"2.0","id":1,"method":"initialize",
                  "params":{"protocolVersion":"2025-06-18"}})",
              {}, SessionState::unknown)
              .code == 0);
    CHECK(ask(list, {{"mcp-protocol-version", "1999-01-01"}}, SessionState::open).status == 400);
}

TEST_CASE("text that is no message is 400 in both eras") {
    CHECK(ask("{", {}).code == -32700);
    CHECK(ask("{", {}).status == 400);
    CHECK_FALSE(ask("{", {}).body.contains("id"));
    CHECK(ask("[]", {}).code == -32600);
}

TEST_CASE("batches exist in sessions of 2025-03-26 only") {
    const std::string batch = R"([{"jsonrpc":"2.0","id":1,"method":"ping"},
                                  {"jsonrpc":"2.0","method":"x"},{"jsonrpc":"2.0","id":2}])";
    const auto answer = ask(batch, {}, SessionState::open, "2025-03-26");
    CHECK(answer.status == 200);
    REQUIRE(answer.body.size() == 2);
    CHECK(answer.body[1]["error"]["code"] == -32600);
    CHECK(ask(R"([{"jsonrpc":"2.0","method":"x"}])", {}, SessionState::open, "2025-03-26").status ==
          202);
    CHECK(ask(batch, {}, SessionState::open, "2025-06-18").code == -32600);
    CHECK(ask("[" + modern("tools/list") + "]", {}, SessionState::open, "2025-03-26").code ==
          -32600);
    CHECK(ask(R"([{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}])", {},
              SessionState::open, "2025-03-26")
              .code == -32600);
}

TEST_CASE("initialize agrees on the version asked for, or on the newest") {
    const auto [asked, agreed] =
        GENERATE(table<std::string, std::string>({{"2024-11-05", "2024-11-05"},
                                                  {"2025-03-26", "2025-03-26"},
                                                  {"2025-06-18", "2025-06-18"},
                                                  {"2025-11-25", "2025-11-25"},
                                                  {"2026-07-28", "2025-11-25"},
                                                  {"1.0", "2025-11-25"}}));
    const Server server;
    const Outcome outcome = server.dispatcher.answer(
        R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":")" + asked +
            "\"}}",
        {});
    CHECK(Json::parse(outcome.text)["result"]["protocolVersion"] == agreed);
    REQUIRE(outcome.agreed);
    CHECK(outcome.agreed->version == agreed);
}

TEST_CASE("a tool that a token does not allow is challenged, and one that is left out is unknown") {
    const Server server;
    const auto scope = std::make_shared<ToolScope>(ToolScope{
        .key = "narrow",
        .allows = [](std::string_view tool) { return tool == "test_simple_text"; },
        .challenge =
            [](std::string_view tool) {
                return std::string(tool == "echo" ? "Bearer error=\"insufficient_scope\"" : "");
            }});
    const auto call = [&](const std::string& tool) {
        const auto headers = headers_for("tools/call", tool);
        return server.dispatcher.answer(modern("tools/call", R"("name":")" + tool + R"(",)"),
                                        {.headers = &headers, .tools = scope});
    };
    CHECK(call("test_simple_text").http_status == 200);
    CHECK(call("echo").http_status == 403);
    CHECK(call("echo").www_authenticate.starts_with("Bearer"));
    CHECK(Json::parse(call("wait").text)["error"]["code"] == -32602);

    const auto headers = headers_for("tools/list");
    const Outcome listed =
        server.dispatcher.answer(modern("tools/list"), {.headers = &headers, .tools = scope});
    const Json result = Json::parse(listed.text)["result"];
    CHECK(result["tools"].size() == 1);
    CHECK(result["cacheScope"] == "private");
}

TEST_CASE("requestState is good for the same request of the same caller, and for nothing else") {
    const Server server;
    const auto call = [&](const std::string& members, const std::string& who) {
        const std::string tool = "test_input_required_result_request_state";
        const auto headers = headers_for("tools/call", tool);
        std::string text = modern("tools/call", R"("name":")" + tool + R"(",)" + members);
        const std::string none = R"("io.modelcontextprotocol/clientCapabilities":{})";
        text.replace(text.find(none), none.size(),
                     R"("io.modelcontextprotocol/clientCapabilities":{"elicitation":{}})");
        return Json::parse(
            server.dispatcher.answer(text, {.headers = &headers, .principal = who}).text);
    };
    const Json first = call("", "ada");
    const std::string state = first["result"]["requestState"];
    const std::string answers =
        R"("inputResponses":{"confirm":{"action":"accept","content":{"ok":true}}},)";
    const std::string with = R"("requestState":")" + state + R"(",)" + answers;
    CHECK(call(with, "ada")["result"]["resultType"] == "complete");
    CHECK(call(with, "eve")["error"]["code"] == -32602);
    CHECK(call(R"("arguments":{"other":1},)" + with, "ada")["error"]["data"]["reason"] ==
          "invalid_request_state");
    CHECK(call(R"("requestState":7,)" + answers, "ada")["error"]["code"] == -32602);
}
