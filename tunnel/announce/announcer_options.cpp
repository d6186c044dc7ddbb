// SPDX-License-Identifier: Apache-2.0
#include "tunnel/announce/announcer_options.h"

#include "base/socket_address.h"
#include "tools-schema/contract/pool_name.h"
#include "tunnel/carry/host_port.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace berth::tunnel {
namespace {

constexpr std::uint16_t https_port = 443, http_port = 80;

std::unexpected<Error> wrong(std::string_view option, std::string what) {
    return fail(make_error(ErrorCode::invalid_argument, std::move(what)).at(option));
}

/// Nobody is in between who could read a token.
bool is_of_this_machine(const std::string& host) {
    return host == "localhost" || host == "::1" ||
           (host.starts_with("127.") && SocketAddress::parse(host + ":1"));
}

Result<> take_sentinel(std::string_view text, AnnouncerOptions& options) {
    constexpr std::string_view secure = "https://", plain = "http://";
    options.tls = text.starts_with(secure);
    if (!options.tls && !text.starts_with(plain)) return wrong("/sentinel", "is https://HOST:PORT");
    text.remove_prefix(options.tls ? secure.size() : plain.size());
    if (text.ends_with('/')) text.remove_suffix(1);
    const auto place = parse_host_port(text, options.tls ? https_port : http_port);
    const bool printable = std::ranges::all_of(
        text, [](char c) { return c > ' ' && c <= '~' && c != '/' && c != '@'; });
    if (!place || !printable) return wrong("/sentinel", "is https://HOST:PORT");
    options.host = place->host;
    options.port = place->port;
    if (options.tls || is_of_this_machine(options.host)) return {};
    return wrong("/sentinel",
                 "is http, which others on the way can read: write https, and give the "
                 "sentinel --control-certificate");
}

}  // namespace

Result<> complete(const std::string& sentinel, AnnouncerOptions& options) {
    BERTH_TRY(take_sentinel(sentinel, options));
    Primary& primary = options.primary;
    if (!is_pool_name(primary.pool)) {
        return wrong("/pool", "is needed, and has 1 to 63 of a-z, 0-9 and inner '-'");
    }
    if (primary.hostname.empty()) {
        return wrong("/hostname", "is needed: the name that visitors ask for");
    }
    if (options.certificate.certificate.empty() != options.certificate.key.empty()) {
        return wrong("/key", "and the certificate go together");
    }
    if (options.token_file.empty() && options.certificate.certificate.empty()) {
        return wrong("/token_file", "or a certificate is needed");
    }
    if (!options.tls && options.token_file.empty()) {
        return wrong("/certificate", "is shown by TLS alone: write https, or give a token_file");
    }
    const std::string& ip = primary.ip;
    const bool is_ip =
        SocketAddress::parse(ip.contains(':') ? fmt::format("[{}]:1", ip) : fmt::format("{}:1", ip))
            .has_value();
    if (!ip.empty() && !is_ip) return wrong("/ip", fmt::format("\"{}\" is no IP address", ip));
    // Of two hosts of a pool, the one that was started later counts.
    primary.generation =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                       std::chrono::system_clock::now().time_since_epoch())
                                       .count());
    return {};
}

}  // namespace berth::tunnel
