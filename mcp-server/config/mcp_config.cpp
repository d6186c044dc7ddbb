// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/config/mcp_config.h"

#include "mcp-server/auth/jwks_url.h"
#include "mcp-server/config/policy_config.h"
#include "mcp-server/policy/tool_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace berth {
namespace {

using Names = std::vector<std::string>;

constexpr std::array<std::string_view, 4> log_levels = {"debug", "info", "warning", "error"};
constexpr std::string_view unix_prefix = "unix:";
constexpr std::size_t unix_path_bytes_max = 107;  // sun_path of sockaddr_un, and its zero
constexpr std::int64_t requests_per_second_max = 1'000'000;
constexpr std::int64_t streams_limit = 4'096, connections_limit = 65'536;
constexpr std::int64_t body_bytes_least = 1'024, body_bytes_limit = 64 * std::int64_t{1024} * 1024;
constexpr int octal = 8;

std::optional<TcpEndpoint> parse_tcp(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return std::nullopt;
    std::string_view address = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    TcpEndpoint endpoint;
    const char* const last = port.data() + port.size();
    const auto [end, error] = std::from_chars(port.data(), last, endpoint.port);
    if (port.empty() || error != std::errc() || end != last) return std::nullopt;
    if (address.starts_with('[') && address.ends_with(']')) {
        address = address.substr(1, address.size() - 2);
    }
    endpoint.address = address;
    return endpoint;
}

bool is_any_address(const std::string& address) {
    return address == "0.0.0.0" || address == "::";
}

/// As it stands in a URL and in a Host header.
std::string in_brackets(const std::string& host) {
    return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

void read_listen(Settings& settings, const McpFlags& flags, McpConfig& config) {
    const std::string listen = settings.text("listen", flags.listen).value_or("127.0.0.1:7420");
    const std::string mode = settings.text("listen_mode", flags.listen_mode).value_or("0600");
    const auto group = settings.text("listen_group", flags.listen_group);
    if (!listen.starts_with(unix_prefix)) {
        const auto endpoint = parse_tcp(listen);
        if (endpoint) config.listen = *endpoint;
        if (!endpoint) {
            settings.reject("listen", fmt::format("must be 'address:port' or 'unix:/path', not "
                                                  "'{}'",
                                                  listen));
        }
        return;
    }
    config.listen_unix = {.path = listen.substr(unix_prefix.size()), .group = group.value_or("")};
    if (!config.listen_unix->path.starts_with('/') ||
        config.listen_unix->path.size() > unix_path_bytes_max) {
        settings.reject("listen", fmt::format("must name a socket by its whole path, of at most "
                                              "{} bytes",
                                              unix_path_bytes_max));
    }
    constexpr mode_t mode_max = 0777;
    const char* const last = mode.data() + mode.size();
    const auto [end, error] = std::from_chars(mode.data(), last, config.listen_unix->mode, octal);
    if (error != std::errc() || end != last || config.listen_unix->mode > mode_max) {
        settings.reject("listen_mode", "must be like \"0660\"");
    }
}

void check_url(Settings& settings, std::string_view key, const std::string& url) {
    if (url.empty()) return;
    if (const auto parsed = auth::JwksUrl::parse(url); !parsed) {
        settings.reject(key, parsed.error().message);
    }
}

void read_oauth(Settings& settings, const McpFlags& flags, McpConfig& config) {
    OauthConfig& oauth = config.oauth;
    oauth.issuer = settings.text("oauth.issuer", flags.oauth_issuer).value_or("");
    oauth.resource = settings.text("oauth.resource", flags.oauth_resource).value_or("");
    oauth.jwks_file = settings.text("oauth.jwks_file", flags.oauth_jwks_file).value_or("");
    oauth.jwks_url = settings.text("oauth.jwks_url", flags.oauth_jwks_url).value_or("");
    oauth.ca_file = settings.text("oauth.ca_file", flags.oauth_ca_file).value_or("");
    oauth.authorization_servers =
        settings.names("oauth.authorization_servers", flags.oauth_authorization_servers)
            .value_or(Names{});
    check_url(settings, "oauth.resource", oauth.resource);
    check_url(settings, "oauth.jwks_url", oauth.jwks_url);
    for (const auto& server : oauth.authorization_servers) {
        check_url(settings, "oauth.authorization_servers", server);
    }
    const bool has_keys = !oauth.jwks_file.empty() || !oauth.jwks_url.empty();
    const bool says_anything = has_keys || !oauth.resource.empty() || !oauth.ca_file.empty() ||
                               !oauth.authorization_servers.empty();
    if (oauth.issuer.empty()) {
        if (says_anything) settings.reject("oauth.issuer", "is missing: who signs the tokens");
        return;
    }
    if (oauth.jwks_file.empty() == oauth.jwks_url.empty()) {
        settings.reject("oauth.issuer",
                        "needs the issuer's keys: either oauth.jwks_url or "
                        "oauth.jwks_file");
    }
    const bool derivable = !config.listen_unix && auth::is_loopback(config.listen.address);
    if (oauth.resource.empty() && !derivable) {
        settings.reject("oauth.issuer", "needs oauth.resource, the URL that clients reach /mcp at");
    }
}

void check_names(Settings& settings, std::string_view key, const policy::FilterWish& wish) {
    if (const auto filter = policy::ToolFilter::of(wish); !filter) {
        settings.reject(key, "is wrong: " + filter.error().message);
    }
}

void read_tools(Settings& settings, const McpFlags& flags, McpConfig& config) {
    config.tools.toolsets = settings.names("toolsets", flags.toolsets);
    config.tools.tools = settings.names("tools", flags.tools);
    config.tools.exclude_tools =
        settings.names("exclude_tools", flags.exclude_tools).value_or(Names{});
    config.tools.read_only = settings.boolean("read_only", flags.read_only).value_or(false);
    check_names(settings, "toolsets", {.toolsets = config.tools.toolsets});
    check_names(settings, "tools", {.tools = config.tools.tools});
    check_names(settings, "exclude_tools", {.exclude_tools = config.tools.exclude_tools});
}

void read_limits(Settings& settings, const McpFlags& flags, McpConfig& config) {
    const auto into = [&](std::string_view key, const std::optional<std::int64_t>& flag,
                          std::int64_t minimum, std::int64_t maximum, auto& value) {
        const auto found = settings.integer(key, flag, minimum, maximum);
        if (found) value = static_cast<std::remove_reference_t<decltype(value)>>(*found);
    };
    into("requests_per_second", flags.requests_per_second, 0, requests_per_second_max,
         config.requests_per_second);
    into("burst", flags.burst, 1, requests_per_second_max, config.burst);
    into("streams_max", flags.streams_max, 1, streams_limit, config.streams_max);
    into("connections_max", flags.connections_max, 1, connections_limit, config.connections_max);
    into("body_bytes_max", flags.body_bytes_max, body_bytes_least, body_bytes_limit,
         config.body_bytes_max);
}

/// The names under which clients that are meant to be served will call.
void add_own_hosts(McpConfig& config) {
    const auto add = [&config](const std::string& host) {
        if (std::ranges::find(config.allowed_hosts, host) == config.allowed_hosts.end()) {
            config.allowed_hosts.push_back(host);
        }
    };
    const std::string& address = config.listen.address;
    if (!config.listen_unix && !auth::is_loopback(address) && !is_any_address(address)) {
        add(in_brackets(address));
    }
    if (config.oauth.resource.empty()) return;
    if (const auto url = auth::JwksUrl::parse(config.oauth.resource)) add(in_brackets(url->host));
}

Result<> check_listens_safely(const McpConfig& config) {
    if (config.listen_unix || auth::is_loopback(config.listen.address) || config.authenticates()) {
        return {};
    }
    return fail(make_error(ErrorCode::invalid_argument,
                           fmt::format("listen may only name loopback, not '{}', while there is "
                                       "no authentication",
                                       config.listen.address))
                    .next("set tokens_file or [oauth] (docs/authentication.md), or listen on "
                          "127.0.0.1 and reach it through an SSH tunnel"));
}

Result<ConfigFile> open_file(const McpFlags& flags) {
    if (flags.config) return ConfigFile::read(*flags.config);
    auto file = ConfigFile::read(mcp_config_path);
    if (!file && file.error().code == ErrorCode::not_found) return ConfigFile::empty();
    return file;
}

}  // namespace

std::string McpConfig::resource_at(std::uint16_t port) const {
    if (!oauth.resource.empty()) return oauth.resource;
    return fmt::format("http://{}:{}/mcp", in_brackets(listen.address), port);
}

Result<McpConfig> load_mcp_config(const McpFlags& flags, const Environment& environment) {
    Settings settings(BERTH_TRY(open_file(flags)), environment);
    McpConfig config;
    read_listen(settings, flags, config);
    config.socket = settings.text("socket", flags.socket).value_or("/run/berth/berthd.sock");
    config.sentinel_socket = settings.text("sentinel.socket", flags.sentinel_socket).value_or("");
    config.log_level = settings.text("log_level", flags.log_level).value_or("info");
    if (std::ranges::find(log_levels, config.log_level) == log_levels.end()) {
        settings.reject("log_level", fmt::format("must be debug, info, warning or error, not '{}'",
                                                 config.log_level));
    }
    config.allowed_hosts = settings.names("allowed_hosts", flags.allowed_hosts).value_or(Names{});
    config.allowed_origins =
        settings.names("allowed_origins", flags.allowed_origins).value_or(Names{});
    config.tokens_file = settings.text("tokens_file", flags.tokens_file).value_or("");
    config.state_dir = settings.text("state_dir", flags.state_dir).value_or("/var/lib/berth-mcp");
    read_oauth(settings, flags, config);
    read_tools(settings, flags, config);
    read_limits(settings, flags, config);
    auto rules = read_policy(settings.file());
    BERTH_TRY(settings.finish());
    config.policy = BERTH_TRY(policy::Policy::of(std::move(rules)));
    BERTH_TRY(check_listens_safely(config));
    add_own_hosts(config);
    return config;
}

Result<McpConfig> load_mcp_config(const McpFlags& flags) {
    return load_mcp_config(flags, process_environment);
}

}  // namespace berth
