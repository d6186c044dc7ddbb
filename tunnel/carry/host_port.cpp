// SPDX-License-Identifier: Apache-2.0
#include "tunnel/carry/host_port.h"

#include <charconv>

namespace berth::tunnel {

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
    const bool whole = problem == std::errc() && end == text.data() + text.size();
    return whole && port != 0 ? std::optional(port) : std::nullopt;
}

std::optional<HostPort> parse_host_port(std::string_view text, std::uint16_t port_else) {
    HostPort found{.host = {}, .port = port_else};
    const auto colon = text.rfind(':');
    const bool bracketed = text.starts_with('[');
    if (colon != std::string_view::npos && (!bracketed || text[colon - 1] == ']')) {
        const auto port = parse_port(text.substr(colon + 1));
        if (!port) return std::nullopt;
        found.port = *port;
        text = text.substr(0, colon);
    }
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
    if (text.empty()) return std::nullopt;
    found.host = text;
    return found;
}

}  // namespace berth::tunnel
