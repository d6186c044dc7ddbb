// SPDX-License-Identifier: Apache-2.0
// berth-mcp's settings as options of a command line.
#pragma once

#include "mcp-server/config/mcp_config.h"

namespace CLI {
class App;
}

namespace berth {

/// Adds --config and a flag for each setting. `flags` must outlive the parsing.
void add_mcp_flags(CLI::App& app, McpFlags& flags);

}  // namespace berth
