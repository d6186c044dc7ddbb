// SPDX-License-Identifier: Apache-2.0
// What berth-mcp can be told: by flags, by the environment and by its file, in that order. Every
// setting is called the same in all three: "oauth.jwks_url" is --oauth-jwks-url and
// BERTH_MCP_OAUTH_JWKS_URL.
#pragma once

#include "base/http_listener.h"
#include "mcp-server/config/settings.h"
#include "mcp-server/policy/filter_wish.h"
#include "mcp-server/policy/policy.h"
#include "tools-schema/contract/result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace berth {

inline constexpr const char* mcp_config_path = "/etc/berth/mcp.toml";

/// The authorization server whose access tokens are taken.
struct OauthConfig {
    std::string issuer;     // "": none
    std::string resource;   // the public URL of /mcp; "": derived
    std::string jwks_file;  // one of these two
    std::string jwks_url;
    std::string ca_file;                             // "": the system's authorities
    std::vector<std::string> authorization_servers;  // empty: the issuer
};

struct McpConfig {
    TcpEndpoint listen;                       // when there is no listen_unix
    std::optional<UnixEndpoint> listen_unix;  // "unix:/run/berth/mcp.sock"
    std::string socket;                       // berthd's
    std::string sentinel_socket;              // its --admin-socket; "": no sentinel
    std::string log_level;
    std::vector<std::string> allowed_hosts;  // with those that `listen` and `resource` name
    std::vector<std::string> allowed_origins;

    std::string tokens_file;  // "": no tokens
    OauthConfig oauth;
    std::int64_t requests_per_second = 1000;  // of one caller; 0: no limit
    std::int64_t burst = 2000;

    policy::FilterWish tools;
    policy::Policy policy;

    std::filesystem::path state_dir;  // what must survive a restart
    std::size_t streams_max = 256;
    std::size_t connections_max = 512;
    std::size_t body_bytes_max = 16 * std::size_t{1024} * 1024;

    /// Somebody checks who calls.
    [[nodiscard]] bool authenticates() const {
        return !tokens_file.empty() || !oauth.issuer.empty();
    }
    /// The public URL, or where a client of this machine finds /mcp at that port.
    [[nodiscard]] std::string resource_at(std::uint16_t port) const;
};

/// Every key of the file that is also a flag, as it comes from the command line; what was not given
/// is empty.
struct McpFlags {
    std::optional<std::filesystem::path> config = {};  // then it must be there
    std::optional<std::string> listen = {};
    std::optional<std::string> listen_mode = {};
    std::optional<std::string> listen_group = {};
    std::optional<std::string> socket = {};
    std::optional<std::string> sentinel_socket = {};
    std::optional<std::string> log_level = {};
    std::optional<std::vector<std::string>> allowed_hosts = {};
    std::optional<std::vector<std::string>> allowed_origins = {};
    std::optional<std::string> tokens_file = {};
    std::optional<std::string> oauth_issuer = {};
    std::optional<std::string> oauth_resource = {};
    std::optional<std::string> oauth_jwks_file = {};
    std::optional<std::string> oauth_jwks_url = {};
    std::optional<std::string> oauth_ca_file = {};
    std::optional<std::vector<std::string>> oauth_authorization_servers = {};
    std::optional<std::int64_t> requests_per_second = {};
    std::optional<std::int64_t> burst = {};
    std::optional<std::vector<std::string>> toolsets = {};
    std::optional<std::vector<std::string>> tools = {};
    std::optional<std::vector<std::string>> exclude_tools = {};
    std::optional<bool> read_only = {};
    std::optional<std::string> state_dir = {};
    std::optional<std::int64_t> streams_max = {};
    std::optional<std::int64_t> connections_max = {};
    std::optional<std::int64_t> body_bytes_max = {};
};

/// invalid_argument with everything that is wrong, each with the place where it stands.
[[nodiscard]] Result<McpConfig> load_mcp_config(const McpFlags& flags,
                                                const Environment& environment);
[[nodiscard]] Result<McpConfig> load_mcp_config(const McpFlags& flags);

}  // namespace berth
