// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/policy/policy.h"

#include "mcp-server/policy/confirm.h"
#include "mcp-server/policy/pattern.h"
#include "tests/mcp-server/auth/auth_fixtures.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::policy;
using std::chrono_literals::operator""s;

namespace {

const ToolSpec& tool(std::string_view name) {
    const ToolSpec* found = find_tool(name);
    REQUIRE(found != nullptr);
    return *found;
}

Policy policy_of(PolicySettings settings) {
    auto made = Policy::of(std::move(settings));
    REQUIRE(made);
    return *std::move(made);
}

using Labels = std::vector<std::string>;

}  // namespace

TEST_CASE("without a policy everything is allowed", "[policy]") {
    const Policy policy;
    for (const ToolSpec& one : tool_catalogue()) {
        CHECK(policy.decide(one, Labels{"env=prod"}).action == Action::allow);
        CHECK_FALSE(policy.needs_labels(one));
    }
}

TEST_CASE("a tool's own line stands in place of patterns, and they in place of the default",
          "[policy]") {
    const Policy policy = policy_of({.by_default = Action::confirm,
                                     .tools = {{"container_*", Action::deny},
                                               {"*_delete", Action::allow},
                                               {"container_stop", Action::allow}}});
    CHECK(policy.decide(tool("port_remove"), Labels{}).action == Action::confirm);
    CHECK(policy.decide(tool("container_start"), Labels{}).action == Action::deny);
    CHECK(policy.decide(tool("container_stop"), Labels{}).action == Action::allow);
    CHECK(policy.decide(tool("container_delete"), Labels{}).action == Action::deny);
    CHECK(policy.decide(tool("container_start"), Labels{}).reason ==
          "policy.tools has container_* = 'deny'");
}

TEST_CASE("the strictest rule that holds wins, in any order", "[policy]") {
    std::vector<PolicyRule> rules{
        {.tool = "container_*", .label = "env=prod", .action = Action::deny},
        {.tool = "container_*", .label = "env=*", .action = Action::confirm},
        {.tool = "container_delete", .label = "", .action = Action::allow}};
    std::ranges::sort(rules, {}, &PolicyRule::label);
    do {
        const Policy policy = policy_of({.rules = rules});
        const ToolSpec& remove = tool("container_delete");
        CHECK(policy.decide(remove, Labels{}).action == Action::allow);
        CHECK(policy.decide(remove, Labels{"team=a"}).action == Action::allow);
        CHECK(policy.decide(remove, Labels{"team=a", "env=test"}).action == Action::confirm);
        CHECK(policy.decide(remove, Labels{"env=test", "env=prod"}).action == Action::deny);
        CHECK(policy.decide(remove, Labels{"env=production"}).action == Action::confirm);
        CHECK(policy.decide(tool("port_remove"), Labels{"env=prod"}).action == Action::allow);
        CHECK(policy.needs_labels(remove));
        CHECK_FALSE(policy.needs_labels(tool("port_remove")));
    } while (std::ranges::next_permutation(rules, {}, &PolicyRule::label).found);
}

TEST_CASE("a rule never makes anything less strict", "[policy]") {
    const Policy policy =
        policy_of({.by_default = Action::deny,
                   .rules = {{.tool = "*", .label = "env=test", .action = Action::allow}}});
    CHECK(policy.decide(tool("container_delete"), Labels{"env=test"}).action == Action::deny);
}

TEST_CASE("when labels cannot be looked up, each rule by label holds", "[policy]") {
    const Policy policy =
        policy_of({.rules = {{.tool = "*_delete", .label = "env=prod", .action = Action::deny}}});
    const Decision decision = policy.decide(tool("container_delete"), std::nullopt);
    CHECK(decision.action == Action::deny);
    CHECK(decision.reason.find("env=prod") != std::string::npos);
    CHECK(policy.decide(tool("container_stop"), std::nullopt).action == Action::allow);
}

TEST_CASE("a tool that changes nothing is denied or allowed, and never asks", "[policy]") {
    const Policy policy = policy_of({.by_default = Action::confirm,
                                     .tools = {{"gpu_list", Action::deny}},
                                     .rules = {{.tool = "*", .action = Action::confirm}}});
    CHECK(policy.decide(tool("container_list"), Labels{}).action == Action::allow);
    CHECK(policy.decide(tool("gpu_list"), Labels{}).action == Action::deny);
    CHECK(policy.decide(tool("container_stop"), Labels{}).action == Action::confirm);
}

TEST_CASE("a policy about tools that are none is refused", "[policy]") {
    const auto misspelt = Policy::of({.tools = {{"container_delet", Action::deny}}});
    REQUIRE_FALSE(misspelt);
    CHECK(misspelt.error().message.find("'container_delete'") != std::string::npos);
    CHECK_FALSE(Policy::of({.rules = {{.tool = "vm_*"}}}));
    CHECK_FALSE(Policy::of({.rules = {{.tool = ""}}}));
    CHECK_FALSE(Policy::of(
        {.rules = std::vector<PolicyRule>(policy_rules_max + 1, PolicyRule{.tool = "*"})}));
}

TEST_CASE("a star stands for any text", "[policy]") {
    CHECK(matches("*", ""));
    CHECK(matches("a*", "a"));
    CHECK(matches("a*c*e", "abcde"));
    CHECK(matches("*b*b", "abbb"));
    CHECK(matches("**a**", "bab"));
    CHECK_FALSE(matches("", "a"));
    CHECK_FALSE(matches("a", ""));
    CHECK_FALSE(matches("a*c", "abcd"));
    CHECK_FALSE(matches("A", "a"));
    // What makes a recursive matcher run for years.
    CHECK_FALSE(matches("*a*a*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
}

TEST_CASE("arguments have one digest, however they are written", "[confirm]") {
    const auto digest = [](const char* text) { return arguments_digest(parse_json(text).value()); };
    const std::string plain = digest(R"({"name":"web","force":true,"list":[{"a":1,"b":2}]})");
    CHECK(plain.size() == 64);
    CHECK(digest(R"({"list":[{"b":2,"a":1}],"force":true,"name":"web"})") == plain);
    CHECK(digest(R"({"name":"web","force":true,"list":[{"a":1,"b":2}],"dry_run":true,
                     "request_id":"r","confirm_token":"t"})") == plain);
    for (const char* other :
         {R"({"name":"web","force":true})", R"({})", R"([])",
          R"({"name":"web","force":true,"list":[{"b":1,"a":2}]})",
          R"({"name":"web","force":1,"list":[{"a":1,"b":2}]})",
          R"({"name":"web","force":true,"list":[{"a":1,"b":2,"dry_run":true}]})"}) {
        CAPTURE(other);
        CHECK(digest(other) != plain);
    }
}

TEST_CASE("a confirmation is good once, soon, for its caller and its call", "[confirm]") {
    auth::FakeClock clock;
    const auto key = auth::SealKey::random();
    ConfirmTokens tokens(key, clock);
    const std::string token = tokens.issue("token:ci", "container_delete", "args", "state");
    const auto redeem = [&](std::string_view principal, std::string_view tool,
                            std::string_view arguments) {
        const auto state = tokens.redeem(token, principal, tool, arguments);
        return state ? *state : state.error().message;
    };

    SECTION("it gives what was confirmed, and not twice") {
        CHECK(redeem("token:ci", "container_delete", "args") == "state");
        CHECK(redeem("token:ci", "container_delete", "args") ==
              "the confirm_token was used before");
    }
    SECTION("it is for nobody and nothing else, and is not spent by trying") {
        const std::string refused = "the confirm_token is not for this call";
        CHECK(redeem("token:cd", "container_delete", "args") == refused);
        CHECK(redeem("token:ci", "container_stop", "args") == refused);
        CHECK(redeem("token:ci", "container_delete", "other") == refused);
        CHECK(redeem("token:ci\ncontainer_delete", "", "args") == refused);
        CHECK(redeem("token:ci", "container_delete", "args") == "state");
    }
    SECTION("it expires") {
        clock.advance(confirm_token_good_for);
        CHECK(redeem("token:ci", "container_delete", "args") == "the confirm_token has expired");
    }
    SECTION("it is good in one process only, and not after a restart") {
        ConfirmTokens other(key, clock);
        CHECK_FALSE(other.redeem(token, "token:ci", "container_delete", "args"));
    }
    SECTION("what was sealed for another use is no confirmation") {
        const auth::Seals seals(key, clock);
        const std::string foreign =
            seals.seal(Json{{"n", "x"}, {"s", "state"}}, 60s,
                       {.purpose = "request_state", .principal = "token:ci"});
        CHECK_FALSE(tokens.redeem(foreign, "token:ci", "container_delete", "args"));
        CHECK_FALSE(tokens.redeem("", "token:ci", "container_delete", "args"));
    }
}
