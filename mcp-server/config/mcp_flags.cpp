// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/config/mcp_flags.h"

#include "mcp-server/config/settings.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <array>

namespace berth {
namespace {

/// One row is a key of the file, a flag, and a line of --help.
template <class T>
struct Row {
    std::string_view key;
    std::optional<T> McpFlags::* value;
    std::string_view says;
};

constexpr std::array texts{
    Row<std::string>{"listen", &McpFlags::listen,
                     "address:port or unix:/path (default: 127.0.0.1:7420)"},
    Row<std::string>{"listen_mode", &McpFlags::listen_mode,
                     "Mode of a unix socket (default: 0600)"},
    Row<std::string>{"listen_group", &McpFlags::listen_group, "Group of a unix socket"},
    Row<std::string>{"socket", &McpFlags::socket,
                     "berthd's socket (default: /run/berth/berthd.sock)"},
    Row<std::string>{"sentinel.socket", &McpFlags::sentinel_socket,
                     "The sentinel's --admin-socket (default: no sentinel)"},
    Row<std::string>{"log_level", &McpFlags::log_level,
                     "debug, info, warning or error (default: info)"},
    Row<std::string>{"tokens_file", &McpFlags::tokens_file,
                     "Bearer tokens that clients must have (default: none are needed)"},
    Row<std::string>{"oauth.issuer", &McpFlags::oauth_issuer,
                     "The authorization server whose access tokens are taken"},
    Row<std::string>{"oauth.resource", &McpFlags::oauth_resource,
                     "The public URL of /mcp, which access tokens must be for"},
    Row<std::string>{"oauth.jwks_file", &McpFlags::oauth_jwks_file, "The issuer's keys, in a file"},
    Row<std::string>{"oauth.jwks_url", &McpFlags::oauth_jwks_url, "The issuer's keys, by https"},
    Row<std::string>{"oauth.ca_file", &McpFlags::oauth_ca_file,
                     "Who may vouch for jwks_url (default: the system's authorities)"},
    Row<std::string>{"state_dir", &McpFlags::state_dir,
                     "What must survive a restart (default: /var/lib/berth-mcp)"},
};

constexpr std::array lists{
    Row<std::vector<std::string>>{"allowed_hosts", &McpFlags::allowed_hosts,
                                  "Host names to answer besides localhost"},
    Row<std::vector<std::string>>{"allowed_origins", &McpFlags::allowed_origins,
                                  "Origins of web pages that may call"},
    Row<std::vector<std::string>>{"oauth.authorization_servers",
                                  &McpFlags::oauth_authorization_servers,
                                  "Where clients get access tokens (default: the issuer)"},
    Row<std::vector<std::string>>{"toolsets", &McpFlags::toolsets,
                                  "Toolsets to offer, or 'all', or 'default'"},
    Row<std::vector<std::string>>{"tools", &McpFlags::tools, "Single tools to offer"},
    Row<std::vector<std::string>>{"exclude_tools", &McpFlags::exclude_tools, "Tools not to offer"},
};

constexpr std::array numbers{
    Row<std::int64_t>{"requests_per_second", &McpFlags::requests_per_second,
                      "Of one caller, on average; 0: no limit (default: 1000)"},
    Row<std::int64_t>{"burst", &McpFlags::burst, "Of one caller, at once (default: 2000)"},
    Row<std::int64_t>{"streams_max", &McpFlags::streams_max,
                      "Open streams of events (default: 256)"},
    Row<std::int64_t>{"connections_max", &McpFlags::connections_max,
                      "Open connections (default: 512)"},
    Row<std::int64_t>{"body_bytes_max", &McpFlags::body_bytes_max,
                      "Bytes of one request's body (default: 16 MiB)"},
};

}  // namespace

void add_mcp_flags(CLI::App& app, McpFlags& flags) {
    app.add_option("--config", flags.config,
                   fmt::format("The configuration file (default: {})", mcp_config_path));
    for (const auto& [key, value, says] : texts) {
        app.add_option(flag_name(key), flags.*value, std::string(says));
    }
    for (const auto& [key, value, says] : lists) {
        app.add_option(flag_name(key), flags.*value, std::string(says))->delimiter(',');
    }
    for (const auto& [key, value, says] : numbers) {
        app.add_option(flag_name(key), flags.*value, std::string(says));
    }
    app.add_flag("--read-only{true}", flags.read_only, "Offer only tools that change nothing");
}

}  // namespace berth
