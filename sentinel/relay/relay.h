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

class Relay {
public:
    /// Starts as many threads as each listener has sockets. `routes` and `away` outlive it.
    [[nodiscard]] static Result<std::unique_ptr<Relay>> start(const RelayOptions& options,
                                                              RouteTable& routes,
                                                              std::vector<Listener> listeners,
                                                              Away* away = nullptr);
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;
    /// Closes all connections.
    ~Relay();

    /// Of all loops together.
    [[nodiscard]] std::uint64_t count(Count what) const noexcept;

private:
    explicit Relay(const RelayOptions& options) : options_(options), limits_(options) {}

    const RelayOptions options_;
    HelloLimits limits_;
    std::vector<std::unique_ptr<Loop>> loops_;
    std::vector<std::thread> threads_;
};

}  // namespace berth::sentinel
