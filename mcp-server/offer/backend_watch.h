// SPDX-License-Identifier: Apache-2.0
// Follows what changes on the host and tells those who watch resources and tasks. When berthd goes
// away it tries again and again, and once it is back tells them to look for themselves.
#pragma once

#include "mcp-server/protocol/hub.h"
#include "mcp-server/protocol/offer.h"
#include "tools-schema/registry/invoker.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <random>
#include <stop_token>
#include <thread>

namespace berth::mcp {

/// How long to wait before trying again: from `first`, each time twice as long, up to `longest`,
/// and a random part of that, so that many servers do not come back at once.
struct Backoff {
    std::chrono::milliseconds first{100};
    std::chrono::milliseconds longest{5'000};
};

class BackendWatch {
public:
    using OnEvent = std::function<void(const Json& event)>;
    /// Connects, calls `on_connected`, then `on_event` with each event, until the connection ends
    /// or `stop`; why it ended does not matter here.
    using Follow =
        std::function<void(const std::stop_token& stop, const std::function<void()>& on_connected,
                           const OnEvent& on_event)>;

    /// Begins at once, in a thread of its own, whether berthd runs or not. All must outlive this.
    BackendWatch(Follow follow, Invoker& invoker, Hub& hub, Backoff backoff = {});

private:
    void run(const std::stop_token& stop);
    void wait(const std::stop_token& stop, std::chrono::milliseconds longest);
    void heard(const Json& event, const std::stop_token& stop);
    void operation_changed(const std::string& id, const std::stop_token& stop);
    void host_changed();
    /// Nobody knows what has happened since: everything may be different.
    void all_changed(const std::stop_token& stop);

    Follow follow_;
    Invoker& invoker_;
    Hub& hub_;
    Backoff backoff_;
    std::minstd_rand random_;
    std::mutex mutex_;
    std::condition_variable_any never_;  // notified by nobody: waits end by time or by a stop
    std::jthread thread_;                // last, so that it ends before what it uses
};

}  // namespace berth::mcp
