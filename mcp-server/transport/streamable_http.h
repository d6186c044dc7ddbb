// SPDX-License-Identifier: Apache-2.0
// MCP over HTTP at /mcp, on TCP or a unix socket. One POST is one message; its answer is JSON, or
// an event stream when something is said before it. Legacy sessions live in signed ids; modern
// requests have none.
#pragma once

#include "base/http_message.h"
#include "mcp-server/protocol/dispatcher.h"
#include "mcp-server/transport/access.h"
#include "mcp-server/transport/http_sessions.h"

#include <atomic>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace berth::mcp {

inline constexpr std::string_view mcp_path = "/mcp";

/// Who a request comes from, found out before its body is looked at.
struct Admitted {
    std::string principal;
    std::shared_ptr<const ToolScope> tools = {};  // null: all of them
};

/// Something else that is answered beside /mcp.
struct HttpRoute {
    std::string path;
    bool open = false;  // to everybody: `who` is then nobody
    std::function<HttpResponse(const HttpRequest& request, const Admitted& who)> answer;
};

struct HttpTransportOptions {
    HttpAccess access = {};
    /// Authentication, rate limits, narrowing; its refusal is sent as it is. Empty: everybody may.
    std::function<std::expected<Admitted, HttpResponse>(const HttpRequest&)> admit = {};
    std::vector<HttpRoute> routes = {};
    std::size_t streams_max = 256;  // open at once; one more is refused with 429
};

class StreamableHttp {
public:
    /// `dispatcher` must outlive this; `seals` sign session ids.
    StreamableHttp(const Dispatcher& dispatcher, auth::Seals seals, HttpTransportOptions options);

    /// A handler for HttpServer: any path, any method, from many threads.
    [[nodiscard]] HttpResponse answer(const HttpRequest& request);

    /// The body for what HttpServer refuses by itself.
    [[nodiscard]] static std::string error_body(int status, std::string_view message);

private:
    [[nodiscard]] HttpResponse answer_mcp(const HttpRequest& request);
    [[nodiscard]] std::expected<Admitted, HttpResponse> admit(const HttpRequest& request) const;
    [[nodiscard]] HttpResponse answer_post(const HttpRequest& request, const Admitted& who);
    [[nodiscard]] HttpResponse answer_get(const HttpRequest& request, const Admitted& who);
    [[nodiscard]] HttpResponse end_session(const HttpRequest& request, const Admitted& who);
    [[nodiscard]] HttpResponse keep_listening(const HttpRequest& request, const Listen& listen);
    [[nodiscard]] HttpResponse follow_session(const HttpRequest& request, HttpSession& session);
    [[nodiscard]] HttpResponse resume(const HttpRequest& request, HttpSession& session,
                                      EventId last);

    const Dispatcher& dispatcher_;
    HttpSessions sessions_;
    HttpTransportOptions options_;
    std::atomic<std::size_t> streams_ = 0;
};

}  // namespace berth::mcp
