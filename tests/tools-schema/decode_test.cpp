// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/contract/decode.h"

#include "tests/support/catch.h"
#include "tools-schema/contract/enums.h"

using namespace berth;
using namespace std::string_literals;

namespace {

enum class Shade : std::uint8_t { red, e_3d };

/// The message of the one problem that reading `json` as T causes, or "" when there is none.
template <class T>
std::string problem(const std::string& json, const Bounds& bounds = {}) {
    Problems problems;
    const auto value = Decode<T>::read(parse_json(json).value(), "/field", bounds, problems);
    CHECK(value.has_value() == problems.empty());
    return problems.empty() ? "" : problems.error().message;
}

}  // namespace

template <>
inline constexpr std::array<std::string_view, 2> berth::enum_words<Shade>{"red", "3d"};

TEST_CASE("a value of the wrong kind is refused with both kinds named", "[decode]") {
    CHECK(problem<std::string>("7") == "/field: must be a string, not an integer");
    CHECK(problem<std::int64_t>("\"7\"") == "/field: must be an integer, not a string");
    CHECK(problem<std::int64_t>("7.5") == "/field: must be an integer, not a number");
    CHECK(problem<bool>("\"yes\"") == "/field: must be true or false, not a string");
    CHECK(problem<bool>("null") == "/field: must be true or false, not null");
    CHECK(problem<ContainerName>("[]") == "/field: must be a string, not an array");
    CHECK(problem<ContainerName>("\"A\"").starts_with("/field: must be a container name"));
}

TEST_CASE("an integer keeps to its bounds and to 64 bits", "[decode]") {
    const Bounds port{.minimum = 1, .maximum = 65535};
    CHECK(problem<std::int64_t>("1", port).empty());
    CHECK(problem<std::int64_t>("65535.0", port).empty());
    CHECK(problem<std::int64_t>("0", port) == "/field: must be between 1 and 65535, not 0");
    CHECK(problem<std::int64_t>("-9223372036854775808").empty());
    CHECK(problem<std::int64_t>("18446744073709551615").contains("must be at most"));
    CHECK_FALSE(problem<std::int64_t>("1e300").empty());
}

TEST_CASE("a string's length is counted in characters", "[decode]") {
    CHECK(problem<std::string>("\"äöü\"", {.length_max = 3}).empty());
    CHECK(problem<std::string>("\"abcd\"", {.length_max = 3}) ==
          "/field: must have at most 3 characters, not 4");
    CHECK(problem<std::string>("\"\"", {.length_min = 1}) ==
          "/field: must have at least 1 characters, not 0");
}

TEST_CASE("an enumeration goes by its words", "[decode]") {
    CHECK(to_string(Shade::e_3d) == "3d");
    CHECK(from_string<Shade>("3d") == Shade::e_3d);
    CHECK_FALSE(from_string<Shade>("blue").has_value());
    CHECK(encode(Shade::red) == "red");
    CHECK(problem<Shade>("\"3d\"").empty());
    CHECK(problem<Shade>("\"blue\"") == "/field: must be one of red, 3d; not 'blue'");
}

TEST_CASE("an object's unknown field is refused and the one that was meant is named", "[decode]") {
    Problems problems;
    const auto json = parse_json(R"({"memory": 1, "zzz": 2, "a/b~": 3})").value();
    const ObjectReader reader(json, "", {"memory_bytes", "name"}, problems);
    const auto error = problems.error();
    CHECK(error.code == ErrorCode::invalid_argument);
    CHECK(error.field == "/memory");
    REQUIRE(error.problems.size() == 3);
    CHECK(error.problems[0].message == "unknown field 'memory'; did you mean 'memory_bytes'?");
    CHECK(error.problems[1].message == "unknown field 'zzz'");
    CHECK(error.problems[2].field == "/a~1b~0");
}

TEST_CASE("all problems of an input are told at once", "[decode]") {
    Problems problems;
    const auto json = parse_json(R"({"names": ["ok", "NO", 3], "flag": 1})").value();
    ObjectReader reader(json, "", {"name", "names", "flag"}, problems);
    CHECK_FALSE(reader.required<ContainerName>("name").has_value());
    CHECK_FALSE(reader.optional_list<ContainerName>("names", {}).has_value());
    CHECK_FALSE(reader.optional<bool>("flag").has_value());
    const auto error = problems.error();
    REQUIRE(error.problems.size() == 4);
    CHECK(error.problems[0] == FieldProblem{"/name", "is required"});
    CHECK(error.problems[1].field == "/names/1");
    CHECK(error.problems[2].field == "/names/2");
    CHECK(error.problems[3].field == "/flag");
    CHECK(error.message.contains("/name: is required; /names/1: "));
}

TEST_CASE("a flood of problems is cut short and says so", "[decode]") {
    Problems problems;
    for (int i = 0; i < 1000; ++i) problems.add("/x", "is wrong");
    CHECK(problems.error().problems.size() == 20);
    CHECK(problems.error().message.ends_with("; and 980 more"));
}

TEST_CASE("an optional field that is null is absent", "[decode]") {
    Problems problems;
    const auto json = parse_json(R"({"flag": null, "name": null})").value();
    ObjectReader reader(json, "", {"flag", "name"}, problems);
    CHECK_FALSE(reader.optional<bool>("flag").has_value());
    CHECK(problems.empty());
    CHECK_FALSE(reader.required<ContainerName>("name").has_value());
    CHECK(problems.error().message == "/name: is required");
}

TEST_CASE("what is no object is refused once", "[decode]") {
    Problems problems;
    const Json json = Json::array();
    ObjectReader reader(json, "", {"name"}, problems);
    CHECK_FALSE(reader.required<ContainerName>("name").has_value());
    CHECK(problems.error().message == "must be an object, not an array");
    CHECK(problems.error().problems.empty());
}

TEST_CASE("a list has an allowed number of items", "[decode]") {
    Problems problems;
    const auto json = parse_json("[1, 2, 3]").value();
    CHECK_FALSE(
        read_list<std::int64_t>(json, "/list", {.length_max = 2}, {}, problems).has_value());
    CHECK(problems.error().message == "/list: must have at most 2 items, not 3");
}

TEST_CASE("the nearest candidate is the one that was meant", "[decode]") {
    const std::vector<std::string> names{"container_list", "container_get", "port_list",
                                         "memory_bytes"};
    CHECK(nearest("container_lst", names) == "container_list");
    CHECK(nearest("containr_get", names) == "container_get");
    CHECK(nearest("memory", names) == "memory_bytes");
    CHECK(nearest("delete_everything", names).empty());
    CHECK(nearest("", names).empty());
}
