// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/jsonrpc/message.h"

#include "mcp-server/jsonrpc/error_object.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::jsonrpc;

namespace {

Parsed parse_one(std::string_view text) {
    auto payload = parse(text);
    if (!payload) return std::unexpected(payload.error());
    REQUIRE_FALSE(payload->batch);
    return payload->messages.front();
}

}  // namespace

TEST_CASE("an id comes back with the type it came with") {
    const auto [given, written] =
        GENERATE(table<std::string, std::string>({{"1", "1"},
                                                  {"0", "0"},
                                                  {"-7", "-7"},
                                                  {"\"1\"", "\"1\""},
                                                  {"\"\"", "\"\""},
                                                  {"9007199254740993", "9007199254740993"},
                                                  {"\"ü\"", "\"ü\""}}));
    CAPTURE(given);
    const auto message = parse_one(R"({"jsonrpc":"2.0","id":)" + given + R"(,"method":"ping"})");
    REQUIRE(message);
    CHECK(result_text(std::get<Request>(*message).id, "{}") ==
          R"({"jsonrpc":"2.0","id":)" + written + R"(,"result":{}})");
}

TEST_CASE("what is no message is refused with -32600, and with its id when that is known") {
    const auto [text, has_id] = GENERATE(table<std::string, bool>({
        {R"({"jsonrpc":"2.0","id":null,"method":"a"})", false},
        {R"({"jsonrpc":"2.0","id":1.5,"method":"a"})", false},
        {R"({"jsonrpc":"2.0","id":1.0,"method":"a"})", false},
        {R"({"jsonrpc":"2.0","id":true,"method":"a"})", false},
        {R"({"jsonrpc":"2.0","id":{},"method":"a"})", false},
        {R"({"jsonrpc":"2.0","id":9223372036854775808,"method":"a"})", false},
        {R"({"jsonrpc":"1.0","id":1,"method":"a"})", true},
        {R"({"id":1,"method":"a"})", true},
        {R"({"jsonrpc":"2.0","id":1})", true},
        {R"({"jsonrpc":"2.0","id":1,"method":7})", true},
        {R"({"jsonrpc":"2.0","id":1,"method":"a","params":7})", true},
        {R"({"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}})", true},
        {R"({"jsonrpc":"2.0","result":{}})", false},
        {R"({"jsonrpc":"2.0","id":1,"error":{"code":"x","message":"x"}})", true},
        {"7", false},
        {"\"text\"", false},
        {"[]", false},
    }));
    CAPTURE(text);
    const auto message = parse_one(text);
    REQUIRE_FALSE(message);
    CHECK(message.error().error.code == invalid_request);
    CHECK(message.error().id.has_value() == has_id);
}

TEST_CASE("text that is no JSON is refused with -32700") {
    const auto text = GENERATE(as<std::string>(), "", "{", "nul", "{\"a\":1,\"a\":2}",
                               std::string(100, '[') + std::string(100, ']'));
    CAPTURE(text);
    const auto payload = parse(text);
    REQUIRE_FALSE(payload);
    CHECK(payload.error().error.code == parse_error);
    CHECK_FALSE(payload.error().id);
}

TEST_CASE("a message is a request, a notification or a response") {
    CHECK(std::holds_alternative<Request>(*parse_one(R"({"jsonrpc":"2.0","id":0,"method":"a"})")));
    CHECK(std::holds_alternative<Notification>(*parse_one(R"({"jsonrpc":"2.0","method":"a"})")));
    const auto answer =
        parse_one(R"({"jsonrpc":"2.0","id":3,"error":{"code":-1,"message":"x","data":[1]}})");
    REQUIRE(answer);
    CHECK(std::get<Response>(*answer).error->data == Json::array({1}));
    CHECK(std::holds_alternative<Response>(
        *parse_one(R"({"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"x"}})")));
}

TEST_CASE("what is wrong with one message of a batch stays with it") {
    const auto payload = parse(R"([{"jsonrpc":"2.0","id":1,"method":"a"},7])");
    REQUIRE(payload);
    CHECK(payload->batch);
    REQUIRE(payload->messages.size() == 2);
    CHECK(payload->messages[0]);
    CHECK_FALSE(payload->messages[1]);
}

TEST_CASE("a batch is bounded") {
    std::string text = "[7";
    for (std::size_t count = 1; count < batch_messages_max; ++count) text += ",7";
    CHECK(parse(text + "]"));
    CHECK_FALSE(parse(text + ",7]"));
}

TEST_CASE("an error without an id has no id member") {
    CHECK(error_text(std::nullopt, {.code = -32700, .message = "x"}) ==
          R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"x"}})");
}

TEST_CASE("berth's error keeps all it says across the wire") {
    const Error error{.code = ErrorCode::invalid_argument,
                      .message = "two things are wrong",
                      .field = "/a",
                      .hint = "look",
                      .problems = {{"/a", "is short"}, {"/b", "is long"}},
                      .data = R"({"confirm_token":"t"})",
                      .next_call = NextCall{.tool = "a_get", .arguments = R"({"name":"ada"})"}};
    const RpcError wire = to_rpc_error(error);
    CHECK(wire.code == invalid_params);
    CHECK(wire.data["code"] == "invalid_argument");
    CHECK(wire.data["retry"] == "no");
    CHECK_FALSE(wire.data.contains("message"));
    const Error back = from_rpc_error(wire);
    CHECK(back.code == error.code);
    CHECK(back.message == error.message);
    CHECK(back.field == error.field);
    CHECK(back.hint == error.hint);
    CHECK(wire.data["details"]["confirm_token"] == "t");
    CHECK(back.problems == error.problems);
    CHECK(back.data == error.data);
    CHECK(wire.data["next"] == Json{{"tool", "a_get"}, {"arguments", {{"name", "ada"}}}});
    CHECK(back.next_call == error.next_call);
}

TEST_CASE("a next step that is no call is left out of what comes back") {
    for (const Json& next : {Json("a_get"), Json{{"tool", "a_get"}}, Json{{"arguments", 1}}}) {
        CHECK_FALSE(
            from_rpc_error({.code = 1, .message = "x", .data = {{"next", next}}}).next_call);
    }
}

TEST_CASE("an error that berthd never sends is internal") {
    CHECK(from_rpc_error({.code = 1, .message = "x"}).code == ErrorCode::internal);
    CHECK(from_rpc_error({.code = 1, .message = "x", .data = {{"code", "nonsense"}}}).code ==
          ErrorCode::internal);
}
