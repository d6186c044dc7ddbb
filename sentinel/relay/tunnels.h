// SPDX-License-Identifier: Apache-2.0
// Who carries connections to hosts that cannot be connected to.
#pragma once

#include "base/fd.h"
#include "base/socket_address.h"
#include "sentinel/route/pool.h"
#include "tunnel/carry/visitor.h"

#include <string_view>

namespace berth::sentinel {

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
    /// Takes a visitor who asked for that name, for a stream to that port. False when the tunnel is
    /// gone or another has relieved it; then it is still the caller's, who finds the name's next
    /// port by looking again.
    [[nodiscard]] virtual bool open(const TunnelPort& to, const SocketAddress& from,
                                    std::string_view name, tunnel::Visitor& visitor) = 0;
};

}  // namespace berth::sentinel
