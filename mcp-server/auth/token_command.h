// SPDX-License-Identifier: Apache-2.0
// berth-mcp token add|list|remove: what an operator does with tokens, as commands to mount in a
// program.
#pragma once

#include "base/clock.h"
#include "tools-schema/contract/result.h"

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace berth::auth {

/// What the command line asked for. Lives as long as the CLI::App that fills it.
struct TokenCommand {
    enum class Action { none, add, list, remove };
    Action action = Action::none;
    std::string file;  // "": what the caller of run_token_command says
    std::string name;
    std::vector<std::string> scopes;
    std::optional<int> expires_days = {};
    std::string group = "berth";
    bool json = false;
};

/// Adds the subcommand `token` with its own three.
void add_token_commands(CLI::App& app, TokenCommand& command);

/// Does what was asked and gives the text for standard output: after `add` that is the token, which
/// is never shown again. `file` is where tokens are when the command line names no file.
[[nodiscard]] Result<std::string> run_token_command(const TokenCommand& command,
                                                    const std::string& file, const Clock& clock);

}  // namespace berth::auth
