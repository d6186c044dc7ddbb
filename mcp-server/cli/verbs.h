// SPDX-License-Identifier: Apache-2.0
// How a tool reads on the command line: its two words, its positionals, its options' names.
#pragma once

#include "tools-schema/contract/json.h"
#include "tools-schema/registry/tool_spec.h"

#include <string>
#include <string_view>
#include <vector>

namespace berth::cli {

using Words = std::vector<std::string>;

struct Verb {
    std::string first;
    std::string second;
    std::vector<std::string> positional;
    std::vector<std::string> from_file;  // fields that take @FILE and "-"
    std::vector<std::string> read_from;  // fields whose FILE is opened here, and passed along
    std::vector<std::string> write_to;
    std::vector<std::string> required;
    Json properties;

    [[nodiscard]] std::string name() const { return first + " " + second; }
};

[[nodiscard]] Verb verb_of(const ToolSpec& tool);

/// The tool behind "container create", or nullptr.
[[nodiscard]] const ToolSpec* find_verb(std::string_view first, std::string_view second);

/// "--memory-bytes"; a boolean that is true by default is turned off by "--no-start".
[[nodiscard]] std::string option_name(const std::string& field, const Json& property);

/// A call as it is typed into a shell: "berth container exec ada -- getent passwd". Takes what a
/// NextCall holds: strings, numbers, booleans and lists of them.
[[nodiscard]] std::string typed(const ToolSpec& tool, const Json& arguments);

/// "CONTAINER-PORT"
[[nodiscard]] std::string positional_name(std::string field);

}  // namespace berth::cli
