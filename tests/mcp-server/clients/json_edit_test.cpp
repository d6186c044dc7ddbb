// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/clients/json_edit.h"

#include "mcp-server/clients/jsonc.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::clients;

namespace {

const Json entry{{"url", "http://x/"}};

std::string added(const std::string& text) {
    return add_to_json(text, "servers", "berth", entry).value();
}

std::string removed(const std::string& text) {
    return remove_from_json(text, "servers", "berth", false).value();
}

}  // namespace

TEST_CASE("comments and commas too many are not JSON but are understood", "[jsonc]") {
    const auto file =
        Jsonc::read("\xef\xbb\xbf// a\n{\"a\": [1, 2,], /* {\" */ \"b\": \"// no\",}");
    REQUIRE(file);
    CHECK(file->value() == Json::parse(R"({"a": [1, 2], "b": "// no"})"));
}

TEST_CASE("what is wrong even so is refused", "[jsonc]") {
    const auto* const text =
        GENERATE("{,}", "[1,,2]", "{\"a\":,}", "{\"a\" 1}", "/* no end", "{} {}", "[]", "7",
                 "{\"a\": 1, \"a\": 2}", "{\"a\": \"\xff\"}", "{'a': 1}", ",", "{\"a\": \"", "/");
    CAPTURE(text);
    CHECK_FALSE(Jsonc::read(text));
}

TEST_CASE("deep nesting has a defined answer", "[jsonc]") {
    CHECK_FALSE(Jsonc::read(std::string(100'000, '[')));
    CHECK_FALSE(Jsonc::read("{\"a\":" + std::string(100'000, '{')));
}

TEST_CASE("an entry is replaced where it stands", "[json_edit]") {
    CHECK(
        added("{\"servers\": {\n  \"berth\": {\"url\": \"old\"}, // mine\n  \"b\": 1}}") ==
        "{\"servers\": {\n  \"berth\": {\n    \"url\": \"http://x/\"\n  }, // mine\n  \"b\": 1}}");
    CHECK(added(R"({"servers":{"berth":7}})") == R"({"servers":{"berth":{"url":"http://x/"}}})");
}

TEST_CASE("an entry is removed from wherever it stands", "[json_edit]") {
    CHECK(removed("{\"servers\": {\n  \"berth\": {},\n  \"b\": 1\n}}") ==
          "{\"servers\": {\n  \"b\": 1\n}}");
    CHECK(removed("{\"servers\": {\n  \"a\": 1, // one\n  \"berth\": {},\n  \"b\": 1\n}}") ==
          "{\"servers\": {\n  \"a\": 1, // one\n  \"b\": 1\n}}");
    CHECK(removed("{\"servers\": {\n  \"a\": 1, // one\n  \"berth\": {}\n}}") ==
          "{\"servers\": {\n  \"a\": 1 // one\n}}");
    CHECK(removed("{\"servers\": {\n  \"berth\": {}\n}}") == "{\"servers\": {}}");
    CHECK(removed("{\"servers\": {\n  \"berth\": {} // my note\n}}") ==
          "{\"servers\": {\n   // my note\n}}");
    CHECK(removed(R"({"servers":{"a":1,"berth":{}}})") == R"({"servers":{"a":1}})");
    CHECK(removed(R"({"servers": { "berth": {}, "a": 1 }})") == R"({"servers": {  "a": 1 }})");
}

TEST_CASE("what stands behind an entry never gets behind a comment", "[json_edit]") {
    CHECK(removed("{\"servers\": { // note\n  \"berth\": {} }}") ==
          "{\"servers\": { // note\n   }}");
    CHECK(removed("{\"servers\": {\"a\": 1, // note\n  \"berth\": {} }}") ==
          "{\"servers\": {\"a\": 1 // note\n   }}");
}

TEST_CASE("what is not there cannot be removed", "[json_edit]") {
    const auto* const text =
        GENERATE("", "{}", R"({"servers": {}})", R"({"servers": 7})", R"({"berth": {}})");
    const auto gone = remove_from_json(text, "servers", "berth", false);
    REQUIRE_FALSE(gone);
    CHECK(gone.error().code == ErrorCode::not_found);
}

TEST_CASE("a list that berth made goes with its entry", "[json_edit]") {
    CHECK(remove_from_json("{\n  \"a\": 1,\n  \"servers\": {\n    \"berth\": {}\n  }\n}\n",
                           "servers", "berth", true) == "{\n  \"a\": 1\n}\n");
    CHECK(remove_from_json("{\"servers\": {\"berth\": {}, \"x\": 1}}", "servers", "berth", true)
              .value()
              .contains("\"x\": 1"));
}
