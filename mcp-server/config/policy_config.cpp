// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/config/policy_config.h"

#include <fmt/format.h>

namespace berth {
namespace {

using policy::Action;

std::optional<Action> read_action(ConfigFile& file, const std::string& key) {
    const auto word = file.string(key);
    if (!word) return std::nullopt;
    const auto action = policy::action_of(*word);
    if (!action) file.reject(key, fmt::format("must be allow, confirm or deny, not '{}'", *word));
    return action;
}

void check_pattern(ConfigFile& file, const std::string& key, const std::string& pattern) {
    if (const auto fine = policy::check_tool_pattern(pattern); !fine) {
        file.reject(key, "is about no tool: " + fine.error().message);
    }
}

policy::PolicyRule read_rule(ConfigFile& file, const std::string& place) {
    const auto tool = file.string(place + ".tool");
    const auto label = file.string(place + ".label");
    const auto action = read_action(file, place + ".action");
    if (tool) check_pattern(file, place + ".tool", *tool);
    if (!file.has(place + ".tool")) file.reject(place + ".tool", "is missing");
    if (!file.has(place + ".action")) file.reject(place + ".action", "is missing");
    if (label && label->empty()) file.reject(place + ".label", "must not be empty");
    // A rule that could not be read stops the program; until then it is the strictest.
    return {.tool = tool.value_or("*"),
            .label = label.value_or(""),
            .action = action.value_or(Action::deny)};
}

}  // namespace

policy::PolicySettings read_policy(ConfigFile& file) {
    policy::PolicySettings settings;
    settings.by_default = read_action(file, "policy.default").value_or(Action::allow);
    if (const auto fallback = file.string("policy.confirm_fallback")) {
        if (*fallback == "deny") settings.confirm_fallback = policy::ConfirmFallback::deny;
        if (*fallback != "deny" && *fallback != "token") {
            file.reject("policy.confirm_fallback", "must be token or deny");
        }
    }
    for (const auto& tool : file.keys("policy.tools")) {
        const std::string key = "policy.tools." + tool;
        settings.tools.emplace_back(tool, read_action(file, key).value_or(Action::deny));
        check_pattern(file, key, tool);
    }
    const std::size_t rules = file.tables("policy.rules");
    if (rules > policy::policy_rules_max || settings.tools.size() > policy::policy_rules_max) {
        file.reject("policy", fmt::format("has more than {} rules", policy::policy_rules_max));
        return settings;
    }
    for (std::size_t at = 0; at < rules; ++at) {
        settings.rules.push_back(read_rule(file, fmt::format("policy.rules[{}]", at)));
    }
    return settings;
}

}  // namespace berth
