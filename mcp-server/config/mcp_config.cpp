// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/config/mcp_config.h"

#include "mcp-server/config/config.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace berth {
namespace {

constexpr std::array<std::string_view, 4> log_levels = {"debug", "info", "warning", "error"};

bool is_loopback(const std::string& address) {
    in_addr four{};
    if (::inet_pton(AF_INET, address.c_str(), &four) == 1) {
        return (::ntohl(four.s_addr) >> IN_CLASSA_NSHIFT) == IN_LOOPBACKNET;
    }
    return address == "localhost" || address == "::1";
}

Result<TcpEndpoint> parse_listen(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    std::string_view address = text.substr(0, colon);
    const std::string_view port = colon == text.npos ? "" : text.substr(colon + 1);
    TcpEndpoint endpoint;
    const auto [end, error] =
        std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (port.empty() || error != std::errc() || end != port.data() + port.size()) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("listen must be 'address:port', not '{}'", text));
    }
    if (address.starts_with('[') && address.ends_with(']')) {
        address = address.substr(1, address.size() - 2);
    }
    endpoint.address = address;
    if (!is_loopback(endpoint.address)) {
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("listen may only name loopback, not '{}': this version "
                                           "has no authentication",
                                           endpoint.address))
                        .next("listen on 127.0.0.1 and reach it through an SSH tunnel"));
    }
    return endpoint;
}

Result<ConfigFile> open_file(const McpFlags& flags) {
    if (flags.config) return ConfigFile::read(*flags.config);
    auto file = ConfigFile::read(mcp_config_path);
    if (!file && file.error().code == ErrorCode::not_found) return ConfigFile::empty();
    return file;
}

}  // namespace

Result<McpConfig> load_mcp_config(const McpFlags& flags) {
    auto file = BERTH_TRY(open_file(flags));
    const auto listen = file.string("listen");
    const auto socket = file.string("socket");
    const auto log_level = file.string("log_level");
    const auto hosts = file.strings("allowed_hosts");
    const auto origins = file.strings("allowed_origins");
    BERTH_TRY(file.finish());

    McpConfig config{
        .listen = BERTH_TRY(parse_listen(flags.listen.value_or(listen.value_or("127.0.0.1:7420")))),
        .socket = flags.socket.value_or(socket.value_or("/run/berth/berthd.sock")),
        .log_level = flags.log_level.value_or(log_level.value_or("info")),
        .allowed_hosts = flags.allowed_hosts.value_or(hosts.value_or(std::vector<std::string>{})),
        .allowed_origins =
            flags.allowed_origins.value_or(origins.value_or(std::vector<std::string>{}))};
    if (std::ranges::find(log_levels, config.log_level) == log_levels.end()) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("log_level must be debug, info, warning or error, not '{}'",
                                config.log_level));
    }
    return config;
}

}  // namespace berth
