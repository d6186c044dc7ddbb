// SPDX-License-Identifier: Apache-2.0
#include "sentinel/route/own_addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

namespace berth::sentinel {
namespace {

bool is_unspecified(const SocketAddress& address) {
    return address.ip().find_first_not_of('\0') == std::string_view::npos;
}

/// All of 127.0.0.0/8 is this machine.
bool is_loopback_v4(const SocketAddress& address) {
    return !address.is_v6() && address.ip().front() == 127;
}

bool is_of_this_machine(const SocketAddress& address) {
    if (is_unspecified(address) || is_loopback_v4(address)) return true;
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) return false;
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owned(first, ::freeifaddrs);
    for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr) continue;
        const int family = one->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        KernelAddress address_of_it;
        address_of_it.size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
        std::memcpy(&address_of_it.storage, one->ifa_addr, address_of_it.size);
        const auto found = SocketAddress::of(address_of_it);
        if (found && found->ip() == address.ip()) return true;
    }
    return false;
}

}  // namespace

bool OwnAddresses::lead_back(const SocketAddress& to) const {
    return std::ranges::any_of(listening_, [&](const SocketAddress& own) {
        if (own.port() != to.port()) return false;
        if (own.ip() == to.ip()) return true;
        // To 0.0.0.0 and [::], the kernel connects by loopback.
        if (is_unspecified(to) && is_loopback_v4(own)) return true;
        return is_unspecified(own) && is_of_this_machine(to);
    });
}

}  // namespace berth::sentinel
