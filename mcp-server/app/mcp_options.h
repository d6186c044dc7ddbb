// SPDX-License-Identifier: Apache-2.0
// The command line of berth-mcp.
#pragma once

#include "mcp-server/auth/token_command.h"
#include "mcp-server/config/mcp_config.h"

#include <expected>

namespace berth::app {

struct McpOptions {
    McpFlags flags;
    bool stdio = false;
    auth::TokenCommand token;  // when that is what was asked for
};

/// The exit code, when that is all: a mistake, --help or --version.
[[nodiscard]] std::expected<McpOptions, int> read_mcp_options(int argc, char** argv);

}  // namespace berth::app
