// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/jsonrpc/rpc_endpoint.h"

#include "mcp-server/jsonrpc/error_object.h"
#include "tools-schema/contract/decode.h"
#include "tools-schema/registry/tool_spec.h"

#include <fmt/format.h>

#include <charconv>

namespace berth {
namespace {

using namespace jsonrpc;

/// A wait longer than this is no wait at all to a machine.
constexpr std::int64_t timeout_ms_max = 24LL * 3600 * 1000;

/// From the implementation-defined range of JSON-RPC: HTTP itself was used wrongly.
constexpr int http_error = -32000;

std::optional<std::chrono::milliseconds> timeout_of(const HttpRequest& request) {
    const std::string* text = find_header(request.headers, rpc_timeout_header);
    if (text == nullptr) return std::nullopt;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
    return std::chrono::milliseconds(std::clamp<std::int64_t>(value, 0, timeout_ms_max));
}

Call call_of(const HttpRequest& request) {
    Call call{
        .caller = request.peer_uid ? fmt::format("uid:{}", *request.peer_uid) : request.remote,
        .cancelled = request.server_stopping};
    if (const auto timeout = timeout_of(request)) {
        call.deadline = std::chrono::steady_clock::now() + *timeout;
    }
    return call;
}

RpcError no_such_method(const std::string& method) {
    std::vector<std::string> names;
    for (const ToolSpec& tool : tool_catalogue()) names.emplace_back(tool.name);
    const std::string meant = nearest(method, names);
    Error error{.code = ErrorCode::not_found,
                .message = fmt::format("there is no method '{}'", method),
                .hint = meant.empty() ? "" : fmt::format("did you mean '{}'?", meant)};
    RpcError out = to_rpc_error(error);
    out.code = method_not_found;
    return out;
}

/// Runs the tool; on a notification too, whose result nobody wants.
std::expected<Json, RpcError> run(const std::string& method, const Json& params, Invoker& invoker,
                                  const Call& call) {
    if (params.is_array()) {
        return std::unexpected(to_rpc_error(
            {.code = ErrorCode::invalid_argument,
             .message = "params must be an object: the arguments of the tool by name"}));
    }
    if (find_tool(method) == nullptr) return std::unexpected(no_such_method(method));
    auto result = invoker.invoke(method, params.is_null() ? Json::object() : params, call);
    if (!result) return std::unexpected(to_rpc_error(result.error()));
    return *std::move(result);
}

/// The answer to one message, or "" when it wants none.
std::string answer_one(const Parsed& parsed, Invoker& invoker, const Call& call) {
    if (!parsed) return error_text(parsed.error().id, parsed.error().error);
    if (const auto* request = std::get_if<Request>(&*parsed)) {
        const auto result = run(request->method, request->params, invoker, call);
        return result ? result_text(request->id, to_text(*result))
                      : error_text(request->id, result.error());
    }
    if (const auto* notification = std::get_if<Notification>(&*parsed)) {
        (void)run(notification->method, notification->params, invoker, call);
    }
    return "";
}

bool is_json(const HttpRequest& request) {
    const std::string* type = find_header(request.headers, "content-type");
    return type != nullptr && type->substr(0, type->find(';')) == "application/json";
}

}  // namespace

std::string rpc_error_body(int status, std::string_view message) {
    return error_text(std::nullopt, {.code = status == 500 ? internal_error : http_error,
                                     .message = std::string(message)});
}

HttpResponse answer_rpc(const HttpRequest& request, Invoker& invoker) {
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
    const auto payload = parse(request.body);
    if (!payload) {
        return json_response(400, error_text(payload.error().id, payload.error().error));
    }
    const Call call = call_of(request);
    std::string body;
    for (const auto& message : payload->messages) {
        const std::string answer = answer_one(message, invoker, call);
        if (!answer.empty()) body += (body.empty() ? "" : ",") + answer;
    }
    if (body.empty()) return {.status = 204};
    if (payload->batch) return json_response(200, "[" + body + "]");
    return json_response(payload->messages.front() ? 200 : 400, std::move(body));
}

}  // namespace berth
