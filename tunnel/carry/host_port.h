// SPDX-License-Identifier: Apache-2.0
// Where a sentinel is, as people write it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::tunnel {

struct HostPort {
    std::string host;  // a name or an address, without brackets
    std::uint16_t port = 0;
};

/// 1 to 65535.
[[nodiscard]] std::optional<std::uint16_t> parse_port(std::string_view text);

/// HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT; nothing for anything else.
[[nodiscard]] std::optional<HostPort> parse_host_port(std::string_view text,
                                                      std::uint16_t port_else);

}  // namespace berth::tunnel
