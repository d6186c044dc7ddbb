// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/jsonrpc/rpc_client.h"

#include "base/http_client.h"
#include "mcp-server/jsonrpc/error_object.h"
#include "mcp-server/jsonrpc/event_endpoint.h"
#include "mcp-server/jsonrpc/rpc_endpoint.h"
#include "mcp-server/jsonrpc/rpc_lines.h"

#include <fmt/format.h>

#include <limits>

namespace berth {
namespace {

using namespace jsonrpc;
using std::chrono::milliseconds;

/// For a caller that names no deadline.
constexpr milliseconds wait_max = std::chrono::hours(24);
/// berthd ends the call at the deadline; its answer gets this long to come back.
constexpr milliseconds grace{2'000};
/// Each connection carries one request at a time, so one id is enough.
constexpr std::int64_t request_id = 1;
/// Silence of this length means that berthd is gone, or stands still.
constexpr milliseconds events_silence_max = 3 * events_keep_alive;
constexpr std::size_t event_bytes_max = 1024 * 1024;

/// The caller knows berthd, not HTTP.
std::unexpected<Error> explained(Error error, const std::string& socket_path) {
    error = std::move(error).in("berthd");
    if (error.code == ErrorCode::unavailable) {
        error.hint = fmt::format(
            "start berthd (systemctl start berthd, or scripts/quickstart.sh) so that it listens "
            "on {}",
            socket_path);
    } else if (error.code == ErrorCode::denied) {
        error.hint = fmt::format("join the group that owns {}", socket_path);
    }
    return fail(std::move(error));
}

Result<> add_text(HttpHeaders& headers, std::string_view name, const std::string& text) {
    if (text.empty()) return {};
    if (!fits_rpc_header(text)) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} cannot be told to berthd: it takes {} printable characters",
                                name, rpc_header_bytes_max));
    }
    headers.emplace(name, text);
    return {};
}

Result<HttpHeaders> headers_of(const Call& call, milliseconds wait) {
    HttpHeaders headers = {{"content-type", "application/json"},
                           {std::string(rpc_timeout_header), std::to_string(wait.count())}};
    BERTH_TRY(add_text(headers, rpc_caller_header, call.caller));
    BERTH_TRY(add_text(headers, rpc_state_header, call.expected_state));
    if (call.background_after) {
        headers.emplace(rpc_background_header, std::to_string(call.background_after->count()));
    }
    if (call.report) headers.emplace(rpc_progress_header, "1");
    return headers;
}

class RpcClient final : public Invoker {
public:
    explicit RpcClient(std::string socket_path)
        : socket_path_(std::move(socket_path)), http_(socket_path_) {}

    Result<Json> invoke(std::string_view tool, const Json& arguments, const Call& call) override {
        const auto left =
            std::chrono::ceil<milliseconds>(call.deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return fail(ErrorCode::timed_out, "no time was left for the call");
        const milliseconds wait = std::min(left, wait_max);
        const Json message = {
            {"jsonrpc", "2.0"}, {"id", request_id}, {"method", tool}, {"params", arguments}};
        HttpSendOptions options{.read_timeout = wait + grace, .cancelled = call.cancelled};
        LineSplitter lines(json_bytes_max);
        std::string last;
        if (call.report) {
            options.on_body = [&](std::string_view piece) {
                return lines.feed(piece, [&](std::string_view line) {
                    const auto progress = read_progress(line, request_id);
                    if (progress) {
                        call.report(*progress);
                    } else {
                        last = line;
                    }
                    return true;
                });
            };
        }
        auto headers = BERTH_TRY(headers_of(call, wait));
        auto response = http_.send({.method = "POST",
                                    .path = std::string(rpc_path),
                                    .headers = std::move(headers),
                                    .body = to_text(message),
                                    .file = call.file},
                                   options);
        if (!response) return explained(std::move(response).error(), socket_path_);
        if (call.report && response->status == 200) {
            response->body = lines.rest().empty() ? std::move(last) : lines.rest();
        }
        return read_answer(*response);
    }

private:
    [[nodiscard]] Result<Json> read_answer(const HttpResponse& response) const {
        auto payload = parse(response.body);
        if (payload && !payload->batch && payload->messages.front()) {
            if (auto* answer = std::get_if<Response>(&*payload->messages.front())) {
                if (!answer->error) return std::move(answer->result);
                if (response.status == 200) return fail(from_rpc_error(*answer->error));
                return fail(response.status == 503 ? ErrorCode::unavailable : ErrorCode::internal,
                            fmt::format("berthd refused the call: {}", answer->error->message));
            }
        }
        return fail(ErrorCode::internal, fmt::format("what answers at {} is not berthd (HTTP {})",
                                                     socket_path_, response.status));
    }

    std::string socket_path_;
    HttpClient http_;
};

}  // namespace

std::unique_ptr<Invoker> connect_rpc(std::string socket_path) {
    return std::make_unique<RpcClient>(std::move(socket_path));
}

Result<> follow_events(const std::string& socket_path, std::stop_token stop,
                       std::function<void(const Json&)> on_event, std::function<void()> on_open) {
    HttpClient http(socket_path);
    LineSplitter lines(event_bytes_max);
    bool open = false, understood = true;
    const auto on_line = [&](std::string_view line) {
        const auto event = parse_json(line);
        understood = event.has_value() && event->is_object();
        if (understood) on_event(*event);
        return understood;
    };
    const auto on_body = [&](std::string_view piece) {
        if (!std::exchange(open, true) && on_open) on_open();
        understood = lines.feed(piece, on_line);
        return understood;
    };
    auto response = http.send({.path = std::string(events_path)},
                              {.read_timeout = events_silence_max,
                               .cancelled = stop,
                               .on_body = on_body,
                               .body_bytes_max = std::numeric_limits<std::size_t>::max()});
    if (stop.stop_requested()) return {};
    if (!response) {
        Error error = std::move(response).error();
        if (error.code == ErrorCode::timed_out) error.code = ErrorCode::unavailable;
        return explained(std::move(error), socket_path);
    }
    if (response->status == 200 && understood) {
        return fail(ErrorCode::unavailable, "berthd tells no more events on this connection");
    }
    if (response->status == 503) return fail(ErrorCode::unavailable, "berthd has too many callers");
    return fail(ErrorCode::internal, fmt::format("what answers at {} tells no events (HTTP {})",
                                                 socket_path, response->status));
}

}  // namespace berth
