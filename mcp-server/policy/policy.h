// SPDX-License-Identifier: Apache-2.0
// What an operator lets be done at once, what only after a question, and what not at all: by tool
// and by the labels of what the tool works on.
#pragma once

#include "tools-schema/contract/result.h"
#include "tools-schema/registry/tool_spec.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::policy {

inline constexpr std::size_t policy_rules_max = 256;

/// In the order of strictness.
enum class Action : std::uint8_t { allow, confirm, deny };

[[nodiscard]] std::optional<Action> action_of(std::string_view word);
[[nodiscard]] std::string_view to_string(Action action);

/// invalid_argument, naming the nearest, when the name or pattern fits no tool.
[[nodiscard]] Result<> check_tool_pattern(const std::string& pattern);

/// What becomes of a call that needs a confirmation, when the client cannot ask its user.
enum class ConfirmFallback : std::uint8_t {
    token,  // it is refused with a preview and a token that confirms it
    deny,
};

/// Holds for a tool whose name matches, on a target that has a label that matches.
struct PolicyRule {
    std::string tool;        // "container_delete", "container_*"
    std::string label = {};  // "env=prod", "env=*"; "": whatever the target is
    Action action = Action::deny;
};

struct PolicySettings {
    Action by_default = Action::allow;
    std::vector<std::pair<std::string, Action>> tools = {};  // by name, in place of the default
    std::vector<PolicyRule> rules = {};                      // on top: they only make it stricter
    ConfirmFallback confirm_fallback = ConfirmFallback::token;
};

struct Decision {
    Action action = Action::allow;
    std::string reason = {};  // which line of the policy says so: for the caller and for the log

    bool operator==(const Decision&) const = default;
};

/// Immutable, and so safe from many threads.
class Policy {
public:
    /// Everything is allowed.
    Policy() = default;

    /// invalid_argument when a name or a pattern fits no tool, or there are too many.
    [[nodiscard]] static Result<Policy> of(PolicySettings settings);

    /// True when the decision depends on the target's labels, so that they must be looked up.
    [[nodiscard]] bool needs_labels(const ToolSpec& tool) const;

    /// The strictest of what holds. `labels` is nothing when they could not be looked up: then each
    /// rule by label holds, because the target may be the one it protects. A tool that changes
    /// nothing is allowed or denied, and never asks.
    [[nodiscard]] Decision decide(const ToolSpec& tool,
                                  std::optional<std::span<const std::string>> labels) const;

    [[nodiscard]] ConfirmFallback confirm_fallback() const { return settings_.confirm_fallback; }

private:
    explicit Policy(PolicySettings settings) : settings_(std::move(settings)) {}
    [[nodiscard]] Decision without_rules(const ToolSpec& tool) const;

    PolicySettings settings_;
};

}  // namespace berth::policy
