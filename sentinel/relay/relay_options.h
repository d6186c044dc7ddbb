// SPDX-License-Identifier: Apache-2.0
// The bounds of the relay, each with its default.
#pragma once

#include "base/socket_address.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace berth::sentinel {

struct RelayOptions {
    /// From the connection on, whatever arrives meanwhile.
    std::chrono::milliseconds hello_timeout = std::chrono::seconds(5);
    std::chrono::milliseconds connect_timeout = std::chrono::seconds(5);
    /// From the start: how long clients of a host wait whose tunnel is to come back.
    std::chrono::milliseconds tunnels_back = std::chrono::seconds(3);
    /// How long one direction may stand still when the other one has ended.
    std::chrono::milliseconds half_closed_timeout = std::chrono::minutes(5);
    /// Connections whose hello is not whole yet: in all, from one source (an IPv4 /24 or an IPv6
    /// /56), and what they have sent.
    std::size_t hellos_max = 8192;
    std::size_t hellos_per_source_max = 512;
    std::size_t hello_bytes_in_all_max = std::size_t{64} * 1024 * 1024;
    /// 8 KiB for each, more than a post-quantum hello with early data has.
    std::size_t hello_bytes_per_source_max = std::size_t{4} * 1024 * 1024;
    /// Connections to one address and port at a time.
    std::size_t connections_per_destination_max = 100'000;
    /// Pipes for splice(2), for each loop; and in all, what a user without privileges may have
    /// (pipe(7), pipe-user-pages-soft: 64 MiB).
    std::size_t pipes_max = 64;
    std::size_t pipes_in_all_max = 256;
    /// Where SSH clients go; none, and they are closed as others that speak no TLS.
    std::optional<SocketAddress> ssh = std::nullopt;
    /// Who must send a PROXY header first.
    std::vector<IpNetwork> proxies = {};
};

}  // namespace berth::sentinel
