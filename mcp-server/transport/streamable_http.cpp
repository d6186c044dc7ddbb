// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/streamable_http.h"

#include "mcp-server/protocol/versions.h"

#include <fmt/format.h>

namespace berth::mcp {
namespace {

constexpr std::string_view session_header = "mcp-session-id";
constexpr const char* allowed_methods = "POST, DELETE, OPTIONS";

HttpResponse refuse(int status, std::string_view why) {
    return json_response(status, StreamableHttp::error_body(status, why));
}

HttpResponse refuse_method(std::string_view method) {
    auto response = refuse(405, fmt::format("{} is not served here", method));
    response.headers.emplace("allow", allowed_methods);
    return response;
}

bool is_json(const HttpHeaders& headers) {
    const std::string* type = find_header(headers, "content-type");
    if (type == nullptr) return false;
    std::string_view media = std::string_view(*type).substr(0, type->find(';'));
    while (media.ends_with(' ')) media.remove_suffix(1);
    return media == "application/json";
}

/// Answers are JSON. Legacy clients name both JSON and event streams; one of them is enough.
bool accepts_answers(const HttpHeaders& headers) {
    const std::string* accept = find_header(headers, "accept");
    if (accept == nullptr) return true;
    for (const std::string_view type :
         {"*/*", "application/*", "application/json", "text/event-stream"}) {
        if (accept->contains(type)) return true;
    }
    return false;
}

bool is_modern(const HttpHeaders& headers) {
    const std::string* version = find_header(headers, "mcp-protocol-version");
    return version != nullptr && *version == modern_version;
}

}  // namespace

StreamableHttp::StreamableHttp(const Dispatcher& dispatcher, HttpAccess access,
                               std::string session_key)
    : dispatcher_(dispatcher), access_(std::move(access)), sessions_(std::move(session_key)) {}

std::string StreamableHttp::error_body(int status, std::string_view message) {
    return jsonrpc::error_text(
        std::nullopt, {.code = status == 500 ? jsonrpc::internal_error : implementation_error,
                       .message = std::string(message)});
}

HttpResponse StreamableHttp::answer(const HttpRequest& request) {
    if (const auto why = access_refusal(request.headers, access_)) return refuse(403, *why);
    if (request.path != mcp_path) return refuse(404, "MCP is served at /mcp");
    if (request.method == "POST") return answer_post(request);
    if (request.method == "DELETE" && !is_modern(request.headers)) return end_session(request);
    if (request.method == "OPTIONS") {
        return {.status = 204, .headers = {{"allow", allowed_methods}}};
    }
    return refuse_method(request.method);
}

HttpResponse StreamableHttp::answer_post(const HttpRequest& request) {
    if (!is_json(request.headers)) return refuse(415, "the Content-Type must be application/json");
    if (!is_modern(request.headers) && !accepts_answers(request.headers)) {
        return refuse(406, "answers are application/json, which Accept excludes");
    }
    RequestContext context{
        .headers = &request.headers,
        .session = Session::missing,
        .call = {.caller = "mcp-http " + request.remote, .cancelled = request.server_stopping}};
    if (const std::string* id = find_header(request.headers, session_header)) {
        const auto version = sessions_.version_of(*id);
        context.session = version ? Session::open : Session::unknown;
        context.session_version = version.value_or("");
    }
    const Outcome outcome = dispatcher_.answer(request.body, context);
    if (outcome.text.empty()) return {.status = outcome.http_status};
    auto response = json_response(outcome.http_status, outcome.text);
    if (!outcome.agreed_version.empty()) {
        response.headers.emplace(session_header, sessions_.issue(outcome.agreed_version));
    }
    return response;
}

HttpResponse StreamableHttp::end_session(const HttpRequest& request) {
    const std::string* id = find_header(request.headers, session_header);
    if (id == nullptr) return refuse(400, "the header Mcp-Session-Id is missing");
    if (!sessions_.version_of(*id)) {
        return json_response(
            404, jsonrpc::error_text(std::nullopt,
                                     {.code = session_not_found, .message = "Session not found"}));
    }
    sessions_.end(*id);
    return {.status = 200};
}

}  // namespace berth::mcp
