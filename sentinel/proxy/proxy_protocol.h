// SPDX-License-Identifier: Apache-2.0
// Version 2 of the PROXY protocol ("The PROXY protocol, Versions 1 & 2", W. Tarreau, 2020): who
// connects, told in front of a connection's first bytes.
#pragma once

#include "base/socket_address.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace berth::sentinel {

/// The two ends of a client's connection.
struct ProxyEnds {
    SocketAddress client;
    SocketAddress server;  // what the client connected to
    bool operator==(const ProxyEnds&) const = default;
};

/// The header that goes to a pool, with the server name when there is one (PP2_TYPE_AUTHORITY) and
/// a checksum (PP2_TYPE_CRC32C).
[[nodiscard]] std::string proxy_header(const ProxyEnds& ends, std::string_view server_name);

/// The longest header that is taken from a proxy in front of us; the specification asks for 536.
constexpr std::size_t proxy_header_bytes_max = 4096;

enum class ProxyState : std::uint8_t {
    need_more,
    wrong,    // no header of version 2, or one that is damaged
    silent,   // a header that names nobody: a proxy's own connection, or another address family
    proxied,  // a header with both ends
};

struct ProxyHeader {
    ProxyState state = ProxyState::need_more;
    std::size_t bytes = 0;  // of the header, when it is whole
    ProxyEnds ends = {};    // when `proxied`
};

/// Reads the header that `all` begins with.
[[nodiscard]] ProxyHeader read_proxy_header(std::string_view all);

}  // namespace berth::sentinel
