// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/replay_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace berth::mcp {
namespace {

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

}  // namespace

std::string EventId::to_string() const {
    return fmt::format("{}-{}", stream, number);
}

std::optional<EventId> EventId::parse(std::string_view text) {
    const std::size_t dash = text.find('-');
    if (dash == text.npos) return std::nullopt;
    const auto stream = number_of(text.substr(0, dash));
    const auto number = number_of(text.substr(dash + 1));
    if (!stream || !number) return std::nullopt;
    return EventId{.stream = *stream, .number = *number};
}

std::uint64_t ReplayLog::open() {
    const std::scoped_lock lock(mutex_);
    if (streams_.size() >= replay_streams_max) {
        const auto ended =
            std::ranges::find_if(streams_, [](const auto& one) { return one.second.closed; });
        streams_.erase(ended == streams_.end() ? streams_.begin() : ended);
    }
    streams_.try_emplace(++opened_);
    return opened_;
}

EventId ReplayLog::add(std::uint64_t stream, std::string message) {
    const std::scoped_lock lock(mutex_);
    const auto found = streams_.find(stream);
    if (found == streams_.end()) return {.stream = stream};
    Stream& log = found->second;
    const EventId id{.stream = stream, .number = ++log.added};
    log.bytes += message.size();
    log.events.push_back({.id = id, .message = std::move(message)});
    while (log.bytes > replay_bytes_max && log.events.size() > 1) {
        log.bytes -= log.events.front().message.size();
        log.events.pop_front();
    }
    changed_.notify_all();
    return id;
}

void ReplayLog::close(std::uint64_t stream) {
    const std::scoped_lock lock(mutex_);
    if (const auto found = streams_.find(stream); found != streams_.end()) {
        found->second.closed = true;
    }
    changed_.notify_all();
}

bool ReplayLog::knows(std::uint64_t stream) const {
    const std::scoped_lock lock(mutex_);
    return streams_.contains(stream);
}

ReplayLog::Next ReplayLog::next(EventId last, std::chrono::milliseconds time,
                                const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    Next found{.how = Wait::timeout};
    (void)changed_.wait_for(lock, stop, time, [&] {
        const auto stream = streams_.find(last.stream);
        if (stream == streams_.end()) {
            found.how = Wait::over;
            return true;
        }
        const Stream& log = stream->second;
        if (last.number < log.added) {
            const std::uint64_t first = log.added - log.events.size() + 1;
            const bool kept = last.number + 1 >= first;
            found.how = kept ? Wait::event : Wait::over;
            if (kept) found.event = log.events.at(last.number + 1 - first);
            return true;
        }
        if (log.closed) found.how = Wait::over;
        return log.closed;
    });
    return found;
}

}  // namespace berth::mcp
