// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/jsonrpc/event_endpoint.h"

#include "base/either_stop.h"
#include "mcp-server/jsonrpc/rpc_endpoint.h"
#include "mcp-server/jsonrpc/rpc_lines.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

namespace berth {
namespace {

/// What one follower has still to be told.
class Queue {
public:
    explicit Queue(const EventLimits& limits) : limits_(limits) {}

    /// Never waits, so a slow follower delays nobody.
    void push(const Json& event) {
        const std::string line = to_text(event) + "\n";
        const std::scoped_lock lock(mutex_);
        overflowed_ = overflowed_ || count_ >= limits_.queue_max;
        if (!overflowed_) {
            lines_ += line;
            ++count_;
        }
        changed_.notify_one();
    }

    /// All there is, or an empty line after some silence; nothing when it is over.
    std::optional<std::string> next(const std::stop_token& over) {
        std::unique_lock lock(mutex_);
        (void)changed_.wait_for(lock, over, limits_.keep_alive,
                                [this] { return count_ > 0 || overflowed_; });
        if (over.stop_requested() || overflowed_) return std::nullopt;
        if (std::exchange(count_, 0) == 0) return "\n";
        return std::exchange(lines_, {});
    }

private:
    const EventLimits limits_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::string lines_;
    std::size_t count_ = 0;
    bool overflowed_ = false;
};

}  // namespace

HttpResponse answer_events(const HttpRequest& request, EventSource& source,
                           const EventLimits& limits) {
    const auto refuse = [](int status, std::string_view why) {
        return json_response(status, rpc_error_body(status, why));
    };
    if (request.path != events_path) return refuse(404, "events are told at /events");
    if (request.method != "GET") {
        auto response = refuse(405, "events are asked for with GET");
        response.headers.emplace("allow", "GET");
        return response;
    }
    if (request.exchange == nullptr) return refuse(501, "there is no connection to tell events on");
    const EitherStop over(request.server_stopping, request.exchange->gone());
    Queue queue(limits);
    const auto subscription = source.subscribe([&queue](const Json& event) { queue.push(event); });
    if (!request.exchange->begin(
            200, {{"content-type", std::string(ndjson_type)}, {"cache-control", "no-store"}})) {
        return {};
    }
    std::optional<std::string> text = "\n";
    while (text && request.exchange->write(*text)) text = queue.next(over.token());
    return {};
}

}  // namespace berth
