// SPDX-License-Identifier: Apache-2.0
// Who carries connections to hosts that cannot be connected to.
#pragma once

#include "base/fd.h"
#include "base/socket_address.h"
#include "sentinel/route/pool.h"
#include "tunnel/link.h"

#include <memory>
#include <string_view>

namespace berth::sentinel {

/// A stream through a tunnel, as a socket. An end of it may have been a reset, which `link` says.
struct TunnelEnd {
    Fd socket = {};
    std::shared_ptr<tunnel::Link> link = {};
};

/// Any thread may call these, and none of them waits.
class Tunnels {
public:
    Tunnels() = default;
    Tunnels(const Tunnels&) = delete;
    Tunnels& operator=(const Tunnels&) = delete;
    virtual ~Tunnels() = default;
    /// Takes a host that wants to open a tunnel and has said these bytes until now. False when
    /// there is no place; then it is still the caller's.
    [[nodiscard]] virtual bool arrive(Fd& host, const SocketAddress& from,
                                      std::string_view said) = 0;
    /// Whether a host may come without TLS, and begin with '{'.
    [[nodiscard]] virtual bool takes_plain() const = 0;
    /// A stream to that port for who asked for that name; no socket when the tunnel is gone.
    [[nodiscard]] virtual TunnelEnd open(const TunnelPort& to, const SocketAddress& from,
                                         std::string_view name) = 0;
};

}  // namespace berth::sentinel
