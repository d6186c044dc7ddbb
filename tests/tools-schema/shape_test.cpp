// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/registry/shape.h"

#include "tests/support/catch.h"

using namespace berth;

namespace {

Json concise(const char* kept, const char* output) {
    return shaped({.concise = kept}, Json::parse(output), ResponseFormat::concise);
}

}  // namespace

TEST_CASE("a concise object has the members that are kept, in their old order", "[shape]") {
    CHECK(to_text(concise(R"({"":["c","a"]})", R"({"a":1,"b":2,"c":{"d":3}})")) ==
          R"({"a":1,"c":{"d":3}})");
    CHECK(concise(R"({"":["a","z"]})", R"({"a":1})") == Json{{"a", 1}});
}

TEST_CASE("a pointer to a list means each of its items, on every level", "[shape]") {
    CHECK(to_text(concise(R"({"/list":["a","in"],"/list/in":["x"]})",
                          R"({"n":1,"list":[{"a":1,"b":2},{"in":[{"x":1,"y":2}],"b":2}]})")) ==
          R"({"n":1,"list":[{"a":1},{"in":[{"x":1}]}]})");
    CHECK(concise(R"({"/list":["a"]})", R"({"list":[]})") == Json::parse(R"({"list":[]})"));
}

TEST_CASE("what a pointer does not lead to is left alone", "[shape]") {
    CHECK(concise(R"({"/list/in":["a"]})", R"({"list":"text"})") == Json{{"list", "text"}});
    CHECK(concise(R"({"/absent":["a"]})", R"({"b":1})") == Json{{"b", 1}});
}

TEST_CASE("details, and tools with one format, keep everything", "[shape]") {
    const Json whole{{"a", 1}, {"b", 2}};
    CHECK(shaped({.concise = R"({"":["a"]})"}, whole, ResponseFormat::detailed) == whole);
    CHECK(shaped({}, whole, ResponseFormat::concise) == whole);
}
