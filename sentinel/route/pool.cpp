// SPDX-License-Identifier: Apache-2.0
#include "sentinel/route/pool.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::sentinel {
namespace {

constexpr std::size_t pool_name_bytes_max = 63;

}  // namespace

bool is_pool_name(std::string_view text) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    };
    return !text.empty() && text.size() <= pool_name_bytes_max && text.front() != '-' &&
           text.back() != '-' && std::ranges::all_of(text, allowed);
}

std::string to_string(const Destination& destination) {
    if (const auto* address = std::get_if<SocketAddress>(&destination)) return address->to_string();
    if (const auto* tunnel = std::get_if<TunnelPort>(&destination)) {
        return fmt::format("tunnel {} port {}", tunnel->session, tunnel->port);
    }
    return "nowhere";
}

}  // namespace berth::sentinel
