// SPDX-License-Identifier: Apache-2.0
// The prompts that are built in, and how arguments get into them.
#include "tests/support/catch.h"
#include "tools-schema/registry/prompt_fill.h"
#include "tools-schema/registry/tokens.h"
#include "tools/tools.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <regex>

using namespace berth;

namespace {

// A prompt is read whole; longer than this it is a manual.
constexpr std::size_t prompt_tokens_max = 1'200;

constexpr std::array<PromptArgument, 2> greeting_arguments{
    {{"who", "Whom to greet.", true, ""}, {"how", "With which word.", false, "hello"}}};
constexpr std::array<PromptInjection, 1> greeting_inject{
    {{"container_get", R"({"name":"{{who}}","deep":[{"in":"<{{who}}>"}],"n":1})"}}};
constexpr PromptSpec greeting{.name = "greeting",
                              .arguments = greeting_arguments,
                              .inject = greeting_inject,
                              .text = "{{how}}, {{who}} and {{who}}! {{"};

/// A value for each argument that must be given.
Json needed(const PromptSpec& prompt) {
    Json given = Json::object();
    for (const auto& argument : prompt.arguments) {
        if (argument.required) given[std::string(argument.name)] = "ada";
    }
    return given;
}

}  // namespace

TEST_CASE("every prompt is there, in order, with all that a client shows", "[prompts]") {
    std::vector<std::string> names;
    for (const auto& prompt : prompt_catalogue()) {
        CAPTURE(prompt.name);
        names.emplace_back(prompt.name);
        CHECK_FALSE(prompt.title.empty());
        CHECK_FALSE(prompt.description.empty());
        CHECK(approximate_tokens(prompt.text) < prompt_tokens_max);
        CHECK(find_prompt(prompt.name) == &prompt);
        for (const auto& argument : prompt.arguments) {
            CHECK_FALSE(argument.description.empty());
            CHECK(argument.required == argument.fallback.empty());
        }
    }
    CHECK(names == std::vector<std::string>{"deploy_website", "diagnose_container", "host_health",
                                            "run_gpu_job"});
    CHECK(find_prompt("nosuch") == nullptr);
}

TEST_CASE("every prompt fills in, and its calls are ones that the tools accept", "[prompts]") {
    std::map<std::string, std::function<bool(const Json&)>, std::less<>> accepted;
    tools::for_each_tool([&accepted](auto tool) {
        using Tool = decltype(tool);
        if (!Tool::read_only) return;
        accepted[std::string(Tool::name)] = [](const Json& arguments) {
            return Tool::decode(arguments).has_value();
        };
    });
    for (const auto& prompt : prompt_catalogue()) {
        CAPTURE(prompt.name);
        const auto filled = fill_prompt(prompt, needed(prompt));
        REQUIRE(filled.has_value());
        CHECK_FALSE(filled->text.contains("{{"));
        CHECK_FALSE(filled->calls.empty());
        for (const auto& call : filled->calls) {
            CAPTURE(call.tool, to_text(call.arguments));
            REQUIRE(accepted.contains(call.tool));
            CHECK(accepted.at(call.tool)(call.arguments));
        }
    }
}

TEST_CASE("arguments are put in, and a default where there is none", "[prompts]") {
    const auto filled = fill_prompt(greeting, {{"who", "ada"}});
    REQUIRE(filled.has_value());
    CHECK(filled->text == "hello, ada and ada! {{");
    REQUIRE(filled->calls.size() == 1);
    CHECK(filled->calls[0].tool == "container_get");
    CHECK(to_text(filled->calls[0].arguments) == R"({"name":"ada","deep":[{"in":"<ada>"}],"n":1})");
    CHECK(fill_prompt(greeting, {{"who", "ada"}, {"how", "good day"}})->text ==
          "good day, ada and ada! {{");
}

TEST_CASE("a value brings in neither placeholders nor members of a call", "[prompts]") {
    const auto filled = fill_prompt(greeting, {{"who", R"({{how}}","x":")"}});
    REQUIRE(filled.has_value());
    CHECK(filled->text == R"(hello, {{how}}","x":" and {{how}}","x":"! {{)");
    CHECK(filled->calls[0].arguments["name"] == R"({{how}}","x":")");
    CHECK(filled->calls[0].arguments.size() == 3);
}

TEST_CASE("all bad arguments of a prompt are named at once", "[prompts]") {
    const auto refused = fill_prompt(
        greeting, {{"how", std::string(prompt_argument_bytes_max + 1, 'x')}, {"where", "here"}});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == ErrorCode::invalid_argument);
    std::vector<std::string> fields;
    for (const auto& problem : refused.error().problems) fields.push_back(problem.field);
    CHECK(fields == std::vector<std::string>{"/who", "/how", "/where"});
    CHECK(fill_prompt(greeting, {{"who", 7}}).error().message.contains("must be a string"));
    CHECK(fill_prompt(greeting, nullptr).error().field == "/who");
    CHECK(fill_prompt(greeting, Json::array()).error().code == ErrorCode::invalid_argument);
}
