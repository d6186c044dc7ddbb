// SPDX-License-Identifier: Apache-2.0
#include "sentinel/route/pool.h"

#include <fmt/format.h>

namespace berth::sentinel {

std::string to_string(const Destination& destination) {
    if (const auto* address = std::get_if<SocketAddress>(&destination)) return address->to_string();
    if (const auto* tunnel = std::get_if<TunnelPort>(&destination)) {
        return fmt::format("tunnel {} port {}", tunnel->session, tunnel->port);
    }
    return "nowhere";
}

}  // namespace berth::sentinel
