// SPDX-License-Identifier: Apache-2.0
// Tells those who ask when the peer of a socket closes: one thread for all of a server's sockets,
// started when the first one asks.
#pragma once

#include "base/fd.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

namespace berth::http {

class Watcher {
public:
    using Id = std::uint64_t;

    Watcher() = default;
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    ~Watcher();

    /// Requests stop on `gone` once, from the watching thread, when the peer closes or half-closes,
    /// or when this end is shut down for reading. Nothing is watched when the system refuses.
    [[nodiscard]] Id watch(int socket, std::stop_source gone);
    /// Before the socket is closed. Does not wait for a stop that is being requested.
    void forget(int socket, Id id);

private:
    bool started();
    void run();

    std::mutex mutex_;
    Fd epoll_, wake_;
    std::map<Id, std::stop_source> watched_;
    Id next_ = 1;  // 0 is the wake-up
    std::thread thread_;
};

}  // namespace berth::http
