// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/access.h"

#include <algorithm>
#include <array>

namespace berth::mcp {
namespace {

constexpr std::array<std::string_view, 3> local_names = {"localhost", "127.0.0.1", "[::1]"};

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) {
        return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    });
    return out;
}

/// "name:port" without its port; a port that is no number stays, and so the name matches nothing.
std::string_view without_port(std::string_view authority) {
    const std::size_t colon = authority.rfind(':');
    const bool in_brackets = authority.ends_with(']');
    if (colon == std::string_view::npos || in_brackets) return authority;
    const std::string_view port = authority.substr(colon + 1);
    const bool digits = !port.empty() && port.find_first_not_of("0123456789") == port.npos;
    return digits ? authority.substr(0, colon) : authority;
}

bool is_allowed_host(std::string_view authority, const HttpAccess& access) {
    const std::string name = lower(without_port(authority));
    return std::ranges::find(local_names, name) != local_names.end() ||
           std::ranges::any_of(access.allowed_hosts,
                               [&](const auto& host) { return lower(host) == name; });
}

bool is_allowed_origin(std::string_view origin, const HttpAccess& access) {
    const bool listed = std::ranges::any_of(
        access.allowed_origins, [&](const auto& one) { return lower(one) == lower(origin); });
    if (listed) return true;
    const std::size_t scheme_end = origin.find("://");
    return scheme_end != std::string_view::npos &&
           is_allowed_host(origin.substr(scheme_end + 3), access);
}

}  // namespace

std::optional<std::string> access_refusal(const HttpHeaders& headers, const HttpAccess& access) {
    const std::string* host = find_header(headers, "host");
    if (headers.count("host") > 1 || host == nullptr || !is_allowed_host(*host, access)) {
        return "this Host is not served here; allowed_hosts in mcp.toml adds names";
    }
    const std::string* origin = find_header(headers, "origin");
    if (headers.count("origin") > 1 || (origin && !is_allowed_origin(*origin, access))) {
        return "this Origin may not call; allowed_origins in mcp.toml adds origins";
    }
    return std::nullopt;
}

}  // namespace berth::mcp
