// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/contract/json.h"

#include "tests/support/catch.h"

using namespace berth;

TEST_CASE("JSON text keeps the order of its keys", "[json]") {
    CHECK(to_text(parse_json(R"({"b":1,"a":[true,null,-2.5]})").value()) ==
          R"({"b":1,"a":[true,null,-2.5]})");
}

TEST_CASE("text that is not JSON is refused", "[json]") {
    const auto* text = GENERATE("", "{", "[1,]", "nul", "{} {}", "\"\xff\"", "'a'", "01");
    CAPTURE(text);
    const auto json = parse_json(text);
    REQUIRE_FALSE(json.has_value());
    CHECK(json.error().code == ErrorCode::invalid_argument);
}

TEST_CASE("a key that appears twice is refused by name", "[json]") {
    const auto json = parse_json(R"({"a":{"b":1},"c":{"b":2},"a":3})");
    REQUIRE_FALSE(json.has_value());
    CHECK(json.error().message.contains("'a'"));
    CHECK(parse_json(R"({"a":{"b":1},"c":{"b":2}})").has_value());
    CHECK_FALSE(parse_json(R"([{"a":{"b":1,"b":2}}])").has_value());
}

TEST_CASE("nesting is bounded before it is built", "[json]") {
    const auto nested = [](std::size_t levels) {
        return std::string(levels, '[') + std::string(levels, ']');
    };
    CHECK(parse_json(nested(json_depth_max)).has_value());
    CHECK_FALSE(parse_json(nested(json_depth_max + 1)).has_value());
    CHECK_FALSE(parse_json(nested(1'000'000)).has_value());
}

TEST_CASE("a text that is too long is not read", "[json]") {
    CHECK(parse_json("[1]", 3).has_value());
    CHECK_FALSE(parse_json("[1] ", 3).has_value());
}

TEST_CASE("bytes that are no UTF-8 are replaced on the way out", "[json]") {
    CHECK(to_text(Json("a\xff")) == "\"a\xef\xbf\xbd\"");
}
