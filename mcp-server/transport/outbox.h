// SPDX-License-Identifier: Apache-2.0
// Messages on their way to a client that reads at its own pace. Whoever puts one in never waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace berth::mcp {

/// A client that is this far behind loses its stream, and has to begin anew.
inline constexpr std::size_t outbox_messages_max = 1024;

class Outbox {
public:
    void put(std::string message) {
        const std::scoped_lock lock(mutex_);
        if (messages_.size() >= outbox_messages_max) overflowed_ = true;
        if (overflowed_) return;
        messages_.push_back(std::move(message));
        filled_.notify_one();
    }

    /// The next message; nothing when none came in that time, when `stop` came first, and for
    /// good once messages were lost.
    std::optional<std::string> take(std::chrono::milliseconds time, const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        (void)filled_.wait_for(lock, stop, time,
                               [this] { return overflowed_ || !messages_.empty(); });
        if (overflowed_ || messages_.empty()) return std::nullopt;
        std::string message = std::move(messages_.front());
        messages_.pop_front();
        return message;
    }

    [[nodiscard]] bool overflowed() const {
        const std::scoped_lock lock(mutex_);
        return overflowed_;
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable_any filled_;
    std::deque<std::string> messages_;
    bool overflowed_ = false;
};

}  // namespace berth::mcp
