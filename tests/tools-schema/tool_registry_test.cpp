// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/registry/tool_registry.h"

#include "tests/support/catch.h"
#include "tools-schema/contract/names.h"
#include "tools-schema/registry/state_digest.h"

#include <stdexcept>

using namespace berth;

namespace {

struct Doubling {
    using Input = std::int64_t;
    using Output = std::int64_t;
    static constexpr std::string_view name = "number_double";
    static constexpr bool read_only = true;
    static const ToolSpec& spec() {
        static const ToolSpec spec{.name = name, .read_only = true};
        return spec;
    }
    static Result<Input> decode(const Json& arguments) {
        if (!arguments.contains("n")) return fail(ErrorCode::invalid_argument, "n is missing");
        return arguments["n"].get<std::int64_t>();
    }
    static Json encode(const Output& output) { return {{"doubled", output}}; }
};

/// A tool that changes things, with all that tools can have in common.
struct Painting {
    struct Input {
        enum class ResponseFormat : std::uint8_t { concise, detailed };
        std::string colour;
        bool dry_run = false;
        std::optional<RequestId> request_id = {};
        bool background = false;
        ResponseFormat response_format = ResponseFormat::concise;
    };
    using Output = std::string;
    static constexpr std::string_view name = "wall_paint";
    static constexpr bool read_only = false;
    static const ToolSpec& spec() {
        static const ToolSpec spec{
            .name = name, .long_running = true, .concise = R"({"":["colour"]})"};
        return spec;
    }
    static Result<Input> decode(const Json& arguments) {
        Input input{.colour = arguments.value("colour", "white"),
                    .dry_run = arguments.value("dry_run", false),
                    .background = arguments.value("background", false)};
        if (arguments.contains("request_id")) {
            input.request_id =
                BERTH_TRY(RequestId::parse(arguments["request_id"].get<std::string>()));
        }
        if (arguments.value("response_format", "") == "detailed") {
            input.response_format = Input::ResponseFormat::detailed;
        }
        return input;
    }
    static Json encode(const Output& output) { return {{"colour", output}, {"coats", 2}}; }
};

/// A wall, and the tool that paints it.
struct Wall {
    explicit Wall(Runner* runner = nullptr) : registry(runner) {
        registry.bind<Painting>(
            [this](const Painting::Input& in, const Call&) -> Result<std::string> {
                if (in.colour == "bug") throw std::runtime_error("a bug");
                colour = in.colour;
                return colour;
            },
            [this](const Painting::Input& in, const Call&) -> Result<Preview> {
                if (in.colour == colour) return fail(ErrorCode::already_exists, "it is");
                return Preview{.would = "paint it " + in.colour, .target = {{"colour", colour}}};
            });
    }
    std::string colour = "grey";
    ToolRegistry registry;
};

/// Remembers what it was given, and does it when told to.
struct LateRunner final : Runner {
    Result<Json> run(const ToolSpec& tool, const CommonArguments& common, const Json& arguments,
                     const Call&, Work work) override {
        name = tool.name;
        given = common;
        sent = arguments;
        waiting = std::move(work);
        return Json{{"id", "op_1"}};
    }
    std::string name;
    CommonArguments given;
    Json sent;
    Work waiting;
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

TEST_CASE("a dry run says what would happen, to what, and changes nothing", "[registry]") {
    LateRunner runner;
    Wall wall(&runner);
    const auto answer =
        wall.registry.invoke("wall_paint", {{"colour", "red"}, {"dry_run", true}}, {});
    CHECK(answer.value() == Json{{"dry_run", true},
                                 {"would", "paint it red"},
                                 {"target", {{"colour", "grey"}}},
                                 {"state", state_digest("wall_paint", {{"colour", "grey"}})}});
    CHECK(wall.colour == "grey");
    CHECK_FALSE(runner.waiting);
    const auto refused =
        wall.registry.invoke("wall_paint", {{"colour", "grey"}, {"dry_run", true}}, {});
    CHECK(refused.error().code == ErrorCode::already_exists);
}

TEST_CASE("a state's digest is of the tool and of every member of the target", "[registry]") {
    const auto digest = state_digest("wall_paint", {{"colour", "grey"}});
    // sha256 of "wall_paint\n{\"colour\":\"grey\"}"
    CHECK(digest == "sha256:16be6521c65d0342330cadb9b8bb3bc579a60c9899e3ce2224a3240ebd9f1fde");
    CHECK(digest != state_digest("wall_paint", {{"colour", "red"}}));
    CHECK(digest != state_digest("wall_scrape", {{"colour", "grey"}}));
    CHECK(digest != state_digest("wall_paint", nullptr));
}

TEST_CASE("a change to a state that is no longer there is refused", "[registry]") {
    Wall wall;
    const Json red{{"colour", "red"}};
    Call call;
    call.expected_state = state_digest("wall_paint", {{"colour", "grey"}});
    CHECK(wall.registry.invoke("wall_paint", red, call).has_value());
    const auto again = wall.registry.invoke("wall_paint", {{"colour", "blue"}}, call);
    REQUIRE_FALSE(again);
    CHECK(again.error().code == ErrorCode::busy);
    CHECK(again.error().hint == "call wall_paint with dry_run to see it as it is now");
    CHECK(wall.colour == "red");
    SECTION("and what the preview refuses is refused the same") {
        CHECK(wall.registry.invoke("wall_paint", red, call).error().code ==
              ErrorCode::already_exists);
    }
}

TEST_CASE("an answer is concise unless details are asked for", "[registry]") {
    Wall wall;
    CHECK(wall.registry.invoke("wall_paint", {{"colour", "red"}}, {}).value() ==
          Json{{"colour", "red"}});
    CHECK(
        wall.registry.invoke("wall_paint", {{"colour", "red"}, {"response_format", "detailed"}}, {})
            .value() == Json{{"colour", "red"}, {"coats", 2}});
}

TEST_CASE("what changes things goes through the runner, as it was sent", "[registry]") {
    LateRunner runner;
    Wall wall(&runner);
    wall.registry.bind<Doubling>(
        [](const auto& n, const Call&) -> Result<std::int64_t> { return 2 * n; });
    CHECK(wall.registry.invoke("number_double", {{"n", 1}}, {}).value() == Json{{"doubled", 2}});
    CHECK(runner.name.empty());

    const Json sent{{"colour", "red"}, {"request_id", "k1"}, {"background", true}};
    Call call;
    call.expected_state = state_digest("wall_paint", {{"colour", "grey"}});
    CHECK(wall.registry.invoke("wall_paint", sent, call).value() == Json{{"id", "op_1"}});
    CHECK(runner.name == "wall_paint");
    CHECK(runner.sent == sent);
    CHECK(runner.given.request_id == "k1");
    CHECK(runner.given.background);
    CHECK_FALSE(runner.given.dry_run);
    CHECK(wall.colour == "grey");

    SECTION("and the work is done when the runner does it") {
        CHECK(runner.waiting({}).value() == Json{{"colour", "red"}});
        CHECK(wall.colour == "red");
    }
    SECTION("and the state is compared then, not before") {
        wall.colour = "green";
        CHECK(runner.waiting({}).error().code == ErrorCode::busy);
        CHECK(wall.colour == "green");
    }
    SECTION("and a bug in it is an internal error there") {
        CHECK(wall.registry.invoke("wall_paint", {{"colour", "bug"}}, {}).has_value());
        CHECK(runner.waiting({}).error().code == ErrorCode::internal);
    }
    SECTION("and what cannot be decoded never reaches the runner") {
        runner.name.clear();
        CHECK(wall.registry.invoke("wall_paint", {{"request_id", "\n"}}, {}).error().code ==
              ErrorCode::invalid_argument);
        CHECK(runner.name.empty());
    }
}
