// SPDX-License-Identifier: Apache-2.0
// A prompt as data: everything its file under prompts/ says, checked when it was generated.
#pragma once

#include <span>
#include <string_view>

namespace berth {

/// What a person fills in. One named container, image or gpu is completed with those there are.
struct PromptArgument {
    std::string_view name = {};
    std::string_view description = {};
    bool required = false;
    std::string_view fallback = {};  // stands in for one that is left out and not required
};

/// A read-only tool that is called when the prompt is asked for, so that what a model needs to know
/// is there already. Strings in the arguments may hold {{name}}, of required arguments alone.
struct PromptInjection {
    std::string_view tool = {};
    std::string_view arguments = {};  // JSON object
};

struct PromptSpec {
    std::string_view name = {};  // "diagnose_container"
    std::string_view title = {};
    std::string_view description = {};
    std::span<const PromptArgument> arguments = {};
    std::span<const PromptInjection> inject = {};
    std::string_view text = {};  // Markdown with {{name}} for each argument
};

/// Every prompt, by name.
[[nodiscard]] std::span<const PromptSpec> prompt_catalogue();

/// The prompt of that name, or nullptr.
[[nodiscard]] const PromptSpec* find_prompt(std::string_view name);

}  // namespace berth
