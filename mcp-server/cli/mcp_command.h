// SPDX-License-Identifier: Apache-2.0
// `berth mcp install|uninstall|list`: berth in the configuration of MCP clients.
#pragma once

#include "mcp-server/clients/installer.h"
#include "tools-schema/contract/json.h"

#include <string>
#include <vector>

namespace berth::cli {

struct CommandLine;

struct McpCommand {
    enum class Verb { install, uninstall, list };
    Verb verb = Verb::list;
    clients::Wanted wanted = {.client = nullptr};
    std::string command;  // "" for the berth-mcp beside this program
    std::string url;
    bool force = false;
};

/// The words behind "mcp". `printed` gets the help when that is asked for.
[[nodiscard]] Result<McpCommand> read_mcp_command(std::vector<std::string> words, CommandLine& line,
                                                  std::string& printed);

/// Does it. `socket` is told to berth-mcp when it is not the usual one.
[[nodiscard]] Result<Json> run_mcp_command(const McpCommand& command, const std::string& socket);

/// What a person should know before: "" or a line.
[[nodiscard]] std::string mcp_warning();

}  // namespace berth::cli
