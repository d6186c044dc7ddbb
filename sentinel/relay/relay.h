// SPDX-License-Identifier: Apache-2.0
// The data plane: one loop a thread, all with the same routes and limits.
#pragma once

#include "sentinel/relay/listener.h"
#include "sentinel/relay/loop.h"

#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace berth::sentinel {

/// Whom its loops give connections to, and tell of them; all outlive it, and none is needed.
struct RelayNeighbours {
    Away* away = nullptr;
    Tunnels* tunnels = nullptr;
    AccessLog* access = nullptr;
    PathReports* reports = nullptr;
};

class Relay {
public:
    /// Starts that many loops. `routes` outlives it.
    [[nodiscard]] static Result<std::unique_ptr<Relay>> start(
        const RelayOptions& options, RouteTable& routes, std::vector<Listener> listeners,
        std::size_t loops, const RelayNeighbours& neighbours = {});
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;
    /// Closes all connections.
    ~Relay();

    /// Takes no more clients; those there are go on. `queued`: those too whom the kernel has taken
    /// already, because nobody else has the sockets.
    void drain(bool queued) noexcept;
    /// All loops are at their end, after drain().
    [[nodiscard]] bool is_over() const noexcept;
    /// How many clients there are.
    [[nodiscard]] std::size_t open() const noexcept;
    /// Bytes carried since the start, from clients and to them.
    [[nodiscard]] std::uint64_t bytes(Flow flow) const noexcept;

    /// Of all loops together.
    [[nodiscard]] std::uint64_t count(Count what) const noexcept;

private:
    Relay(const RelayOptions& options, std::size_t loops);

    const RelayOptions options_;
    HelloLimits limits_;
    DestinationLimits destinations_;
    std::vector<std::unique_ptr<Loop>> loops_;
    std::vector<std::thread> threads_;
};

}  // namespace berth::sentinel
