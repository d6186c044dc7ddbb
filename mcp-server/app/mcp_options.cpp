// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/mcp_options.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace berth::app {
namespace {

void add_serving(CLI::App& app, McpFlags& flags) {
    app.add_option("--config", flags.config,
                   fmt::format("The configuration file (default: {})", mcp_config_path));
    app.add_option("--listen", flags.listen,
                   "address:port, or unix:/path (default: 127.0.0.1:7420)");
    app.add_option("--listen-mode", flags.listen_mode, "Mode of the unix socket, octal");
    app.add_option("--listen-group", flags.listen_group, "Group of the unix socket");
    app.add_option("--socket", flags.socket, "berthd's socket (default: /run/berth/berthd.sock)");
    app.add_option("--state-dir", flags.state_dir, "What must survive a restart");
    app.add_option("--log-level", flags.log_level, "debug, info, warning or error (default: info)");
    app.add_option("--streams-max", flags.streams_max, "Event streams open at once");
    app.add_option("--connections-max", flags.connections_max, "Connections open at once");
    app.add_option("--body-bytes-max", flags.body_bytes_max, "The longest request");
}

void add_access(CLI::App& app, McpFlags& flags) {
    app.add_option("--allowed-hosts", flags.allowed_hosts, "Host names to answer besides localhost")
        ->delimiter(',');
    app.add_option("--allowed-origins", flags.allowed_origins, "Origins of web pages that may call")
        ->delimiter(',');
    app.add_option("--tokens-file", flags.tokens_file,
                   "Bearer tokens, as `berth-mcp token add` writes them");
    app.add_option("--oauth-issuer", flags.oauth_issuer,
                   "The authorization server whose access tokens are taken");
    app.add_option("--oauth-resource", flags.oauth_resource, "The public URL of /mcp");
    app.add_option("--oauth-jwks-file", flags.oauth_jwks_file, "Its keys, in a file");
    app.add_option("--oauth-jwks-url", flags.oauth_jwks_url, "Its keys, at an https URL");
    app.add_option("--oauth-ca-file", flags.oauth_ca_file, "Authorities for that URL");
    app.add_option("--oauth-authorization-servers", flags.oauth_authorization_servers,
                   "What clients are told, when it is not the issuer")
        ->delimiter(',');
    app.add_option("--requests-per-second", flags.requests_per_second,
                   "Of one caller; 0: no limit (default: 50)");
    app.add_option("--burst", flags.burst, "Requests of one caller at once (default: 200)");
}

void add_choice(CLI::App& app, McpFlags& flags) {
    app.add_option("--toolsets", flags.toolsets, "Toolsets to offer, or all")->delimiter(',');
    app.add_option("--tools", flags.tools, "Single tools to offer")->delimiter(',');
    app.add_option("--exclude-tools", flags.exclude_tools, "Tools to leave out")->delimiter(',');
    app.add_flag_callback(
        "--read-only", [&flags] { flags.read_only = true; }, "Only tools that change nothing");
}

}  // namespace

std::expected<McpOptions, int> read_mcp_options(int argc, char** argv) {
    McpOptions options;
    CLI::App app("Serves berth's tools over MCP, on HTTP unless --stdio is given.");
    app.set_version_flag("--version", "berth-mcp " BERTH_VERSION);
    app.add_flag("--stdio", options.stdio, "Serve standard input and output instead of HTTP");
    add_serving(app, options.flags);
    add_access(app, options.flags);
    add_choice(app, options.flags);
    auth::add_token_commands(app, options.token);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return std::unexpected(app.exit(problem));
    }
    return options;
}

}  // namespace berth::app
