// SPDX-License-Identifier: Apache-2.0
// Server-sent events on an HTTP answer (the WHATWG HTML standard, section 9.2), and the way back to
// the client of one POST: its messages before the answer make the answer an event stream.
#pragma once

#include "base/http_message.h"
#include "mcp-server/protocol/exchange.h"
#include "mcp-server/transport/replay_log.h"

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace berth::mcp {

/// A comment is sent this often, so that a silent stream is not taken for a dead one.
inline constexpr std::chrono::seconds keep_alive_interval{15};
/// How long a client should wait before it comes back, in milliseconds.
inline constexpr int retry_ms = 500;

[[nodiscard]] const HttpHeaders& event_stream_headers();
[[nodiscard]] std::string event_text(std::string_view message,
                                     const std::optional<EventId>& id = std::nullopt);
/// An event with an id and no message: from here a client can resume.
[[nodiscard]] std::string priming_event(const EventId& id);
inline constexpr std::string_view keep_alive_comment = ": \n\n";

class PostExchange final : public Exchange {
public:
    /// With a log the stream can be resumed. Both must outlive this.
    PostExchange(HttpExchange& http, ReplayLog* log) : http_(http), log_(log) {}
    ~PostExchange() override;

    void send(const std::string& message) override;
    [[nodiscard]] std::stop_token gone() override { return http_.gone(); }
    void end_stream() override;

    /// Sends the answer as the last event if there is a stream; false when there is none.
    [[nodiscard]] bool finish(const std::string& answer);

private:
    void begin();
    void write(const std::string& message);

    HttpExchange& http_;
    ReplayLog* log_;
    std::mutex mutex_;
    std::optional<std::uint64_t> stream_;
    bool begun_ = false;
};

}  // namespace berth::mcp
