// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/registry/tool_registry.h"

#include "tests/support/catch.h"

#include <stdexcept>

using namespace berth;

namespace {

struct Doubling {
    using Input = std::int64_t;
    using Output = std::int64_t;
    static constexpr std::string_view name = "number_double";
    static Result<Input> decode(const Json& arguments) {
        if (!arguments.contains("n")) return fail(ErrorCode::invalid_argument, "n is missing");
        return arguments["n"].get<std::int64_t>();
    }
    static Json encode(const Output& output) { return {{"doubled", output}}; }
};

}  // namespace

TEST_CASE("a bound handler gets its input decoded and its output encoded", "[registry]") {
    ToolRegistry registry;
    registry.bind<Doubling>(
        [](const auto& n, const Call&) -> Result<std::int64_t> { return 2 * n; });
    CHECK(registry.invoke("number_double", {{"n", 21}}, {}).value() == Json{{"doubled", 42}});
    CHECK(registry.invoke("number_double", Json::object(), {}).error().message == "n is missing");
    CHECK(registry.names() == std::vector<std::string>{"number_double"});
}

TEST_CASE("a tool nobody bound is not found, and the nearest one is named", "[registry]") {
    ToolRegistry registry;
    registry.bind<Doubling>([](const auto& n, const Call&) -> Result<std::int64_t> { return n; });
    const auto missing = registry.invoke("number_doubel", Json::object(), {});
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error().code == ErrorCode::not_found);
    CHECK(missing.error().hint == "did you mean 'number_double'?");
    CHECK(registry.invoke("unlike", Json::object(), {}).error().hint.empty());
}

TEST_CASE("an exception that escapes a handler is an internal error", "[registry]") {
    ToolRegistry registry;
    registry.bind<Doubling>([](const auto&, const Call&) -> Result<std::int64_t> {
        throw std::runtime_error("a bug");
    });
    CHECK(registry.invoke("number_double", {{"n", 1}}, {}).error().code == ErrorCode::internal);
}
