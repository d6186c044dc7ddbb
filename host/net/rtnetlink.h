// SPDX-License-Identifier: Apache-2.0
// One request to rtnetlink(7), and the kernel's answer. Border file of <libmnl/libmnl.h>.
#pragma once

#include "host/net/netlink_socket.h"
#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string_view>

struct nlmsghdr;

namespace berth::net {

/// Sends one request, built by `fill`, and waits for the kernel's acknowledgement.
[[nodiscard]] Result<> request(std::string_view doing, std::uint16_t type, std::uint16_t flags,
                               const std::function<void(nlmsghdr*)>& fill);

/// A socket that speaks of the network namespace that this program is in.
[[nodiscard]] Result<NetlinkSocket> socket_here();
/// A socket that speaks of the network namespace of `process`.
[[nodiscard]] Result<NetlinkSocket> socket_of(pid_t process);

/// The same on such a socket.
[[nodiscard]] Result<> request(const NetlinkSocket& socket, std::string_view doing,
                               std::uint16_t type, std::uint16_t flags,
                               const std::function<void(nlmsghdr*)>& fill);

/// The number of an interface where that socket is; 0 when there is none of that name.
[[nodiscard]] unsigned index_of(const NetlinkSocket& socket, std::string_view name);

}  // namespace berth::net
