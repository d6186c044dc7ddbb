// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/jwks_url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace berth::auth {
namespace {

constexpr std::size_t url_bytes_max = 2048;

std::unexpected<Error> bad_url(std::string_view why) {
    return fail(make_error(ErrorCode::invalid_argument, std::string(why))
                    .next("it must be like https://as.example/jwks.json"));
}

/// "host", "host:port" or "[address]:port" into the URL.
Result<> read_authority(std::string_view authority, JwksUrl& url) {
    std::string_view port;
    if (authority.starts_with('[')) {
        const std::size_t end = authority.find(']');
        if (end == authority.npos) return bad_url("has an address without its closing bracket");
        url.host = authority.substr(1, end - 1);
        port = authority.substr(end + 1);
    } else {
        const std::size_t colon = std::min(authority.find(':'), authority.size());
        url.host = authority.substr(0, colon);
        port = authority.substr(colon);
    }
    if (url.host.empty() || url.host.find('@') != std::string::npos) {
        return bad_url("names no host, or names a user");
    }
    if (port.empty()) return {};
    const char* const last = port.data() + port.size();
    const auto [end, error] = std::from_chars(port.data() + 1, last, url.port);
    const bool fine = port.front() == ':' && error == std::errc() && end == last && url.port > 0 &&
                      url.port <= 65535;
    return fine ? Result<>{} : bad_url("has a port that is none");
}

}  // namespace

bool is_loopback(const std::string& host) {
    in_addr four{};
    if (::inet_pton(AF_INET, host.c_str(), &four) == 1) {
        return (::ntohl(four.s_addr) >> IN_CLASSA_NSHIFT) == IN_LOOPBACKNET;
    }
    return host == "localhost" || host == "::1";
}

Result<JwksUrl> JwksUrl::parse(std::string_view text) {
    JwksUrl url;
    std::string_view rest = text;
    if (rest.starts_with("https://")) {
        rest.remove_prefix(8);
    } else if (rest.starts_with("http://")) {
        rest.remove_prefix(7);
        url.tls = false;
        url.port = 80;
    } else {
        return bad_url("is no https URL");
    }
    const bool printable =
        std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != '#'; });
    if (text.size() > url_bytes_max || !printable) return bad_url("has characters of no URL");
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    BERTH_TRY(read_authority(rest.substr(0, slash), url));
    if (slash < rest.size()) url.path = rest.substr(slash);
    if (!url.tls && !is_loopback(url.host)) {
        return bad_url("is not https, and not on this machine either");
    }
    return url;
}

}  // namespace berth::auth
