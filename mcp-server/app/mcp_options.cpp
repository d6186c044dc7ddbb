// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/mcp_options.h"

#include "mcp-server/config/mcp_flags.h"

#include <CLI/CLI.hpp>

namespace berth::app {
std::expected<McpOptions, int> read_mcp_options(int argc, char** argv) {
    McpOptions options;
    CLI::App app("Serves berth's tools over MCP, on HTTP unless --stdio is given.");
    app.set_version_flag("--version", "berth-mcp " BERTH_VERSION);
    app.add_flag("--stdio", options.stdio, "Serve standard input and output instead of HTTP");
    add_mcp_flags(app, options.flags);
    auth::add_token_commands(app, options.token);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return std::unexpected(app.exit(problem));
    }
    return options;
}

}  // namespace berth::app
