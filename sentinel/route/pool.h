// SPDX-License-Identifier: Apache-2.0
// A pool as the data plane sees it: where its primary is, and how it is spoken to.
#pragma once

#include "base/socket_address.h"
#include "tools-schema/contract/pool_name.h"

#include <compare>
#include <cstdint>
#include <string>
#include <variant>

namespace berth::sentinel {

/// Nobody speaks for the pool at present. Its names are known, and get an alert at once.
struct Nowhere {
    /// The host's tunnel was there before this process was, and comes back in a moment.
    bool expected = false;
    auto operator<=>(const Nowhere&) const = default;
};

/// A port of the host at the other end of a tunnel.
struct TunnelPort {
    std::uint64_t session = 0;  // never used twice
    std::uint16_t port = 0;
    auto operator<=>(const TunnelPort&) const = default;
};

using Destination = std::variant<Nowhere, SocketAddress, TunnelPort>;

/// "192.0.2.1:443", "tunnel 7 port 443" or "nowhere".
[[nodiscard]] std::string to_string(const Destination& destination);

struct Pool {
    std::string name;
    Destination primary;
    bool proxy_protocol = false;  // its primary wants to be told who connects
    /// Which registration it stands for: several of a pool may be routed at a time. 0: static.
    std::uint64_t registration = 0;
    /// What is reported of a static pool's path is kept under this; 0: nothing is.
    std::uint64_t watched = 0;
    [[nodiscard]] std::uint64_t path() const { return registration != 0 ? registration : watched; }
    bool operator==(const Pool&) const = default;
};

}  // namespace berth::sentinel
