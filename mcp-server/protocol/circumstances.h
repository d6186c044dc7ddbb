// SPDX-License-Identifier: Apache-2.0
// What surrounds one running request: what stops it, and what it tells its client on the way.
#pragma once

#include "mcp-server/protocol/exchange.h"
#include "mcp-server/protocol/offer.h"

#include <chrono>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <stop_token>

namespace berth::mcp {

/// Progress is passed on at most this often, and always when it is done.
inline constexpr std::chrono::milliseconds progress_interval{20};

/// Stops when any of several does.
class AnyStop {
public:
    AnyStop();
    void add(const std::stop_token& token);
    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

private:
    using Callback = std::stop_callback<std::function<void()>>;
    std::stop_source source_;
    std::list<Callback> callbacks_;  // which cannot be moved
};

/// Sends progress and log messages of one request until it is answered: never after.
class Messenger {
public:
    /// Without an exchange nothing is sent. `token` is null when no progress is wanted; `level` is
    /// empty when no log messages are.
    Messenger(Exchange* exchange, Json token, std::optional<LogLevel> level)
        : exchange_(exchange), token_(std::move(token)), level_(level) {}

    void report(const Progress& progress);
    void log(LogLevel level, const Json& data);
    void close();
    [[nodiscard]] bool wants_progress() const { return exchange_ != nullptr && !token_.is_null(); }

private:
    std::mutex mutex_;
    Exchange* exchange_;
    Json token_;
    std::optional<LogLevel> level_;
    std::optional<double> last_;
    std::chrono::steady_clock::time_point last_at_;
};

[[nodiscard]] std::string_view name_of(LogLevel level);
[[nodiscard]] std::optional<LogLevel> log_level_of(std::string_view name);

}  // namespace berth::mcp
