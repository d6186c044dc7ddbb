// SPDX-License-Identifier: Apache-2.0
// A prompt with a person's arguments put in: its text, and the calls whose answers go with it.
#pragma once

#include "tools-schema/contract/json.h"
#include "tools-schema/registry/prompt_spec.h"

#include <string>
#include <vector>

namespace berth {

/// An argument of a prompt is a name, a command or a sentence.
inline constexpr std::size_t prompt_argument_bytes_max = 4096;

struct PromptCall {
    std::string tool;
    Json arguments;
};

struct FilledPrompt {
    std::string text;
    std::vector<PromptCall> calls;  // in the order of the file; not made yet
};

/// `arguments` is the object of strings that a client sent; null is none. invalid_argument names
/// each argument that is missing, unknown, too long or no string. What stands in for a placeholder
/// is never read again, so a value cannot bring in placeholders or members of a call.
[[nodiscard]] Result<FilledPrompt> fill_prompt(const PromptSpec& prompt, const Json& arguments);

}  // namespace berth
