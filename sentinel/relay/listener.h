// SPDX-License-Identifier: Apache-2.0
// Sockets that wait for clients: our own, or those that systemd made for us.
#pragma once

#include "base/fd.h"
#include "base/socket_address.h"
#include "tools-schema/contract/result.h"

#include <cstddef>
#include <vector>

namespace berth::sentinel {

/// One place where clients connect, as many sockets as there are loops.
struct Listener {
    SocketAddress address = {};
    std::vector<Fd> sockets = {};
    bool shared = false;  // others see them too: other loops, or the service manager
};

/// Sees to it that each of so many loops has a socket of it. Where there are fewer, they share.
[[nodiscard]] Result<> give_each(Listener& listener, std::size_t loops);

/// Listens with one socket for each loop, among which the kernel distributes clients
/// (SO_REUSEPORT). Port 0 is any free one. `denied` for a port that needs a privilege.
[[nodiscard]] Result<Listener> listen_on(const SocketAddress& address, std::size_t loops);

/// Those that a service manager handed to this process (sd_listen_fds(3)), none when it did not.
/// Those of one address are one listener. What says so is taken out of the environment.
[[nodiscard]] Result<std::vector<Listener>> take_inherited_listeners();

}  // namespace berth::sentinel
