// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/jsonrpc/rpc_endpoint.h"

#include "base/either_stop.h"
#include "mcp-server/jsonrpc/error_object.h"
#include "mcp-server/jsonrpc/rpc_lines.h"
#include "tools-schema/contract/decode.h"
#include "tools-schema/registry/tool_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <mutex>
#include <utility>

namespace berth {
namespace {

using namespace jsonrpc;
using std::chrono::milliseconds;

/// A wait longer than this is no wait at all to a machine.
constexpr std::int64_t wait_ms_max = 24LL * 3600 * 1000;

/// From the implementation-defined range of JSON-RPC: HTTP itself was used wrongly.
constexpr int http_error = -32000;

/// The answer as lines, once there is something to say before its end.
class ProgressLines {
public:
    explicit ProgressLines(HttpExchange& exchange) : exchange_(&exchange) {}

    void report(const Id& id, const Progress& progress) {
        const std::scoped_lock lock(mutex_);
        if (exchange_ == nullptr) return;  // the call goes on, but it has been answered
        if (!std::exchange(begun_, true) &&
            !exchange_->begin(200, {{"content-type", std::string(ndjson_type)}})) {
            return;
        }
        // A caller that is gone learns nothing; Call::cancelled says so to the call.
        (void)exchange_->write(progress_line(id, progress) + "\n");
    }

    /// True when the answer is sent, because it had begun already.
    [[nodiscard]] bool finish(const std::string& answer) {
        const std::scoped_lock lock(mutex_);
        HttpExchange* const exchange = std::exchange(exchange_, nullptr);
        if (begun_) (void)exchange->write(answer + "\n");
        return begun_;
    }

private:
    std::mutex mutex_;
    HttpExchange* exchange_;  // until the answer is out
    bool begun_ = false;
};

/// One HTTP request: what all its messages have in common.
struct Work {
    Invoker& invoker;
    const RpcOptions& options;
    Call call;
    std::shared_ptr<ProgressLines> lines;  // null when nobody wants to know
};

std::unexpected<std::string> malformed(std::string_view header, std::string_view wanted) {
    return std::unexpected(fmt::format("{} must be {}", header, wanted));
}

std::expected<std::optional<milliseconds>, std::string> wait_of(const HttpRequest& request,
                                                                std::string_view header) {
    const std::string* text = find_header(request.headers, header);
    if (text == nullptr) return std::nullopt;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size()) {
        return malformed(header, "a number of milliseconds");
    }
    return milliseconds(std::clamp<std::int64_t>(value, 0, wait_ms_max));
}

std::expected<std::string, std::string> text_of(const HttpRequest& request, std::string_view header,
                                                std::string otherwise) {
    const std::string* text = find_header(request.headers, header);
    if (text == nullptr) return otherwise;
    if (fits_rpc_header(*text)) return *text;
    return malformed(header, fmt::format("1 to {} printable characters", rpc_header_bytes_max));
}

/// The call that the headers describe, or what is wrong with them.
std::expected<Call, std::string> call_of(const HttpRequest& request, const RpcOptions& options) {
    Call call{.caller =
                  request.peer_uid ? fmt::format("uid:{}", *request.peer_uid) : request.remote};
    if (options.trust_caller) {
        call.caller = BERTH_TRY(text_of(request, rpc_caller_header, std::move(call.caller)));
    }
    call.file = request.file;
    call.expected_state = BERTH_TRY(text_of(request, rpc_state_header, ""));
    call.background_after = BERTH_TRY(wait_of(request, rpc_background_header));
    if (const auto timeout = BERTH_TRY(wait_of(request, rpc_timeout_header))) {
        call.deadline = std::chrono::steady_clock::now() + *timeout;
    }
    return call;
}

bool has_method(std::string_view method, const RpcOptions& options) {
    return options.has_method ? options.has_method(method) : find_tool(method) != nullptr;
}

RpcError no_such_method(const std::string& method, const RpcOptions& options) {
    std::vector<std::string> names;
    for (const ToolSpec& tool : tool_catalogue()) {
        if (has_method(tool.name, options)) names.emplace_back(tool.name);
    }
    const std::string meant = nearest(method, names);
    Error error{.code = ErrorCode::not_found,
                .message = fmt::format("there is no method '{}'", method),
                .hint = meant.empty() ? "" : fmt::format("did you mean '{}'?", meant)};
    RpcError out = to_rpc_error(error);
    out.code = method_not_found;
    return out;
}

/// Runs the tool; on a notification too, whose result nobody wants.
std::expected<Json, RpcError> run(const std::string& method, const Json& params, const Work& work,
                                  const Call& call) {
    if (params.is_array()) {
        return std::unexpected(to_rpc_error(
            {.code = ErrorCode::invalid_argument,
             .message = "params must be an object: the arguments of the tool by name"}));
    }
    if (!has_method(method, work.options)) {
        return std::unexpected(no_such_method(method, work.options));
    }
    auto result = work.invoker.invoke(method, params.is_null() ? Json::object() : params, call);
    if (!result) return std::unexpected(to_rpc_error(result.error()));
    return *std::move(result);
}

/// The answer to one message, or "" when it wants none.
std::string answer_one(const Parsed& parsed, const Work& work) {
    if (!parsed) return error_text(parsed.error().id, parsed.error().error);
    if (const auto* request = std::get_if<Request>(&*parsed)) {
        Call call = work.call;
        if (work.lines) {
            call.report = [lines = work.lines, id = request->id](const Progress& progress) {
                lines->report(id, progress);
            };
        }
        const auto result = run(request->method, request->params, work, call);
        return result ? result_text(request->id, to_text(*result))
                      : error_text(request->id, result.error());
    }
    if (const auto* notification = std::get_if<Notification>(&*parsed)) {
        (void)run(notification->method, notification->params, work, work.call);
    }
    return "";
}

/// Runs what the body asks for, and answers it.
HttpResponse answer_all(const Payload& payload, const Work& work) {
    std::string body;
    for (const auto& message : payload.messages) {
        const std::string answer = answer_one(message, work);
        if (!answer.empty()) body += (body.empty() ? "" : ",") + answer;
    }
    if (payload.batch && !body.empty()) body = "[" + body + "]";
    if (work.lines && work.lines->finish(body)) return {};
    if (body.empty()) return {.status = 204};
    return json_response(payload.batch || payload.messages.front() ? 200 : 400, std::move(body));
}

bool is_json(const HttpRequest& request) {
    const std::string* type = find_header(request.headers, "content-type");
    return type != nullptr && type->substr(0, type->find(';')) == "application/json";
}

bool wants_progress(const HttpRequest& request) {
    const std::string* wish = find_header(request.headers, rpc_progress_header);
    return wish != nullptr && *wish == "1" && request.exchange != nullptr;
}

}  // namespace

bool fits_rpc_header(std::string_view text) {
    return !text.empty() && text.size() <= rpc_header_bytes_max && text.front() != ' ' &&
           text.back() != ' ' &&
           std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

std::string rpc_error_body(int status, std::string_view message) {
    return error_text(std::nullopt, {.code = status == 500 ? internal_error : http_error,
                                     .message = std::string(message)});
}

HttpResponse answer_rpc(const HttpRequest& request, Invoker& invoker, const RpcOptions& options) {
    const auto refuse = [](int status, std::string_view why) {
        return json_response(status, rpc_error_body(status, why));
    };
    if (request.path != rpc_path) return refuse(404, "JSON-RPC is answered at /rpc");
    if (request.method != "POST") {
        auto response = refuse(405, "JSON-RPC is sent with POST");
        response.headers.emplace("allow", "POST");
        return response;
    }
    if (!is_json(request)) return refuse(415, "the Content-Type must be application/json");
    auto call = call_of(request, options);
    if (!call) return refuse(400, call.error());
    const auto payload = parse(request.body);
    if (!payload) {
        return json_response(400, error_text(payload.error().id, payload.error().error));
    }
    const EitherStop unwanted(request.server_stopping, request.exchange != nullptr
                                                           ? request.exchange->gone()
                                                           : std::stop_token{});
    call->cancelled = unwanted.token();
    const auto lines =
        wants_progress(request) ? std::make_shared<ProgressLines>(*request.exchange) : nullptr;
    return answer_all(*payload, {invoker, options, *std::move(call), lines});
}

}  // namespace berth
