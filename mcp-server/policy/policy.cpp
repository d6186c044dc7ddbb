// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/policy/policy.h"

#include "mcp-server/policy/pattern.h"
#include "tools-schema/contract/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace berth::policy {
namespace {

constexpr std::array<std::string_view, 3> action_words = {"allow", "confirm", "deny"};

bool has_label(std::span<const std::string> labels, std::string_view pattern) {
    return std::ranges::any_of(labels,
                               [pattern](const auto& label) { return matches(pattern, label); });
}

}  // namespace

Result<> check_tool_pattern(const std::string& pattern) {
    std::vector<std::string> names;
    for (const ToolSpec& tool : tool_catalogue()) names.emplace_back(tool.name);
    if (std::ranges::any_of(names, [&](const auto& name) { return matches(pattern, name); })) {
        return {};
    }
    const std::string meant = nearest(pattern, names);
    return fail(make_error(ErrorCode::invalid_argument,
                           fmt::format("there is no tool '{}'{}", pattern,
                                       meant.empty() ? "" : fmt::format("; is it '{}'?", meant)))
                    .next("docs/tools.md lists the tools"));
}

std::optional<Action> action_of(std::string_view word) {
    const auto* const found = std::ranges::find(action_words, word);
    if (found == action_words.end()) return std::nullopt;
    return static_cast<Action>(found - action_words.begin());
}

std::string_view to_string(Action action) {
    return action_words.at(static_cast<std::size_t>(action));
}

Result<Policy> Policy::of(PolicySettings settings) {
    if (settings.rules.size() > policy_rules_max || settings.tools.size() > policy_rules_max) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("the policy has more than {} rules", policy_rules_max));
    }
    for (const auto& [tool, action] : settings.tools) BERTH_TRY(check_tool_pattern(tool));
    for (const auto& rule : settings.rules) BERTH_TRY(check_tool_pattern(rule.tool));
    return Policy(std::move(settings));
}

bool Policy::needs_labels(const ToolSpec& tool) const {
    return std::ranges::any_of(settings_.rules, [&tool](const PolicyRule& rule) {
        return !rule.label.empty() && matches(rule.tool, tool.name);
    });
}

/// A tool's own line goes before patterns, and the strictest pattern before the others.
Decision Policy::without_rules(const ToolSpec& tool) const {
    const std::pair<std::string, Action>* best = nullptr;
    for (const auto& entry : settings_.tools) {
        if (entry.first == tool.name) {
            best = &entry;
            break;
        }
        if (matches(entry.first, tool.name) && (best == nullptr || entry.second > best->second)) {
            best = &entry;
        }
    }
    if (best == nullptr) {
        return {.action = settings_.by_default,
                .reason = fmt::format("policy.default is '{}'", to_string(settings_.by_default))};
    }
    return {
        .action = best->second,
        .reason = fmt::format("policy.tools has {} = '{}'", best->first, to_string(best->second))};
}

Decision Policy::decide(const ToolSpec& tool,
                        std::optional<std::span<const std::string>> labels) const {
    Decision decision = without_rules(tool);
    for (const PolicyRule& rule : settings_.rules) {
        const bool holds = rule.label.empty() || !labels || has_label(*labels, rule.label);
        if (!holds || rule.action <= decision.action || !matches(rule.tool, tool.name)) continue;
        decision = {
            .action = rule.action,
            .reason = fmt::format(
                "a rule of the policy says '{}' for {}{}", to_string(rule.action), rule.tool,
                rule.label.empty() ? "" : fmt::format(" on what is labelled {}", rule.label))};
    }
    if (tool.read_only && decision.action == Action::confirm) decision.action = Action::allow;
    return decision;
}

}  // namespace berth::policy
