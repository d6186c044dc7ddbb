// SPDX-License-Identifier: Apache-2.0
// What was sent on the event streams of one legacy session, so that a client which lost its
// connection gets the rest: event ids are "stream-number".
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace berth::mcp {

inline constexpr std::size_t replay_streams_max = 16;
inline constexpr std::size_t replay_bytes_max = 4 * 1024 * 1024;  // of one stream

struct EventId {
    std::uint64_t stream = 0;
    std::uint64_t number = 0;  // 0 is the priming event
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] static std::optional<EventId> parse(std::string_view text);
};

struct LoggedEvent {
    EventId id;
    std::string message;
};

/// Safe from many threads.
class ReplayLog {
public:
    /// Begins a stream; the oldest that has ended goes when there are too many.
    [[nodiscard]] std::uint64_t open();
    [[nodiscard]] EventId add(std::uint64_t stream, std::string message);
    /// No more will be added.
    void close(std::uint64_t stream);

    enum class Wait : std::uint8_t { event, timeout, over };
    struct Next {
        Wait how = Wait::over;
        LoggedEvent event = {};
    };
    /// Waits for the event after `last`. `over` when there will be none, or when it is not kept.
    [[nodiscard]] Next next(EventId last, std::chrono::milliseconds time,
                            const std::stop_token& stop);
    [[nodiscard]] bool knows(std::uint64_t stream) const;

private:
    struct Stream {
        std::deque<LoggedEvent> events;
        std::size_t bytes = 0;
        std::uint64_t added = 0;
        bool closed = false;
    };
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::map<std::uint64_t, Stream> streams_;
    std::uint64_t opened_ = 0;
};

}  // namespace berth::mcp
