// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/event_stream.h"

#include <fmt/format.h>

namespace berth::mcp {

const HttpHeaders& event_stream_headers() {
    static const HttpHeaders headers = {{"content-type", "text/event-stream"},
                                        {"cache-control", "no-cache, no-transform"},
                                        {"x-accel-buffering", "no"}};
    return headers;
}

std::string event_text(std::string_view message, const std::optional<EventId>& id) {
    return fmt::format("event: message\n{}data: {}\n\n",
                       id ? fmt::format("id: {}\n", id->to_string()) : "", message);
}

std::string priming_event(const EventId& id) {
    return fmt::format("id: {}\nretry: {}\ndata: \n\n", id.to_string(), retry_ms);
}

PostExchange::~PostExchange() {
    if (stream_) log_->close(*stream_);
}

void PostExchange::send(const std::string& message) {
    const std::scoped_lock lock(mutex_);
    begin();
    write(message);
}

void PostExchange::end_stream() {
    if (log_ == nullptr) return;  // then the client could not come back for the rest
    const std::scoped_lock lock(mutex_);
    begin();
    http_.end();
}

bool PostExchange::finish(const std::string& answer) {
    const std::scoped_lock lock(mutex_);
    if (!begun_) return false;
    if (!answer.empty()) write(answer);
    return true;
}

/// A client that is gone already is not a reason to stop: it may come back for what is logged.
void PostExchange::begin() {
    if (begun_) return;
    begun_ = true;
    (void)!http_.begin(200, event_stream_headers());
    if (log_ == nullptr) return;
    stream_ = log_->open();
    (void)!http_.write(priming_event({.stream = *stream_}));
}

void PostExchange::write(const std::string& message) {
    const auto id = stream_ ? std::optional(log_->add(*stream_, message)) : std::nullopt;
    (void)!http_.write(event_text(message, id));
}

}  // namespace berth::mcp
