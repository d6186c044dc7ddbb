// SPDX-License-Identifier: Apache-2.0
// What every verb's reader needs of CLI11.
#pragma once

#include "mcp-server/cli/command_line.h"
#include "mcp-server/cli/verbs.h"

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace berth::cli {

[[nodiscard]] std::string help_hint(std::string_view verb);

/// The options that stand in front of a verb or behind it.
void add_globals(CLI::App& app, CommandLine& line);

/// Parses, and returns the words that are left; `printed` gets the help when that is asked for.
[[nodiscard]] Result<Words> parse(CLI::App& app, Words words, std::string_view verb,
                                  std::string& printed);

}  // namespace berth::cli
