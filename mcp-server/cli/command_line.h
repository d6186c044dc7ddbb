// SPDX-License-Identifier: Apache-2.0
// What a command line asks for. Verbs, options and help are made from the catalogue.
#pragma once

#include "mcp-server/cli/mcp_command.h"
#include "mcp-server/cli/terminal.h"
#include "mcp-server/cli/tunnel_command.h"
#include "tools-schema/contract/json.h"
#include "tools-schema/registry/tool_spec.h"

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace berth::cli {

inline constexpr const char* socket_default = "/run/berth/berthd.sock";

/// Help, the version, a completion script.
struct Print {
    std::string text;
};

/// A file of whoever types, opened with their rights and passed along with the call.
struct FileToPass {
    std::string path;  // "-": standard input or output
    bool written = false;
};

struct ToolCall {
    const ToolSpec* tool;
    Json arguments;
    std::optional<FileToPass> file = {};
};

struct SshConfigSync {
    std::string host;       // "" for the tool's default
    std::string directory;  // "" for ~/.ssh
    bool include = false;
};

/// A line that is being typed: the words so far.
struct Complete {
    std::vector<std::string> words;
};

struct CommandLine {
    std::string socket;
    bool json = false;
    ColourChoice colour = ColourChoice::automatic;
    std::variant<Print, ToolCall, SshConfigSync, McpCommand, TunnelCommand, Complete> action;
};

/// Reads the words after the program's name. `in` is read for an argument that is "-".
[[nodiscard]] Result<CommandLine> read_command_line(std::vector<std::string> words,
                                                    std::istream& in);

}  // namespace berth::cli
