// SPDX-License-Identifier: Apache-2.0
// The files under prompts/: a front matter of a few fixed lines between two `---`, then Markdown.
//
//   ---
//   title: Diagnose a container
//   description: Finds out why a container does not work.
//   arguments:
//   - container: The container to look at. (required)
//   - depth: How far to go. (default: as far as it takes)
//   inject:
//   - container_get {"name": "{{container}}"}
//   ---
//   Text with {{container}} and `container_exec`.
#pragma once

#include "tools-schema/toolgen/sources.h"

#include <string>
#include <vector>

namespace berth::toolgen {

struct PromptArgument {
    std::string name = {};
    std::string description = {};
    bool required = false;
    std::string fallback = {};
};

struct PromptInjection {
    std::string tool = {};
    Json arguments = Json::object();
};

struct Prompt {
    std::string path = {};
    std::string name = {};  // of the file
    std::string title = {};
    std::string description = {};
    std::vector<PromptArgument> arguments = {};
    std::vector<PromptInjection> inject = {};
    std::string text = {};
};

/// Reads one file; the error says "path: line N: why".
[[nodiscard]] Result<Prompt> parse_prompt(const std::string& path, const std::string& text);

/// Everything that is not allowed, one "path: why" each: only read-only tools are injected, with
/// arguments they have; placeholders are declared, declared arguments are used, and a backticked
/// snake_case word is a tool or an argument of one. `sources` has its common properties.
[[nodiscard]] std::vector<std::string> check_prompt(const Prompt& prompt, const Sources& sources);

/// prompts/catalogue.cpp.
[[nodiscard]] std::string prompts_source(const std::vector<Prompt>& prompts);

}  // namespace berth::toolgen
