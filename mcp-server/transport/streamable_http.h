// SPDX-License-Identifier: Apache-2.0
// MCP over HTTP at /mcp. One POST is one message; answers are JSON. Legacy sessions live in signed
// ids; modern requests have none.
#pragma once

#include "base/http_message.h"
#include "mcp-server/protocol/dispatcher.h"
#include "mcp-server/transport/access.h"
#include "mcp-server/transport/session_ids.h"

#include <string>
#include <string_view>

namespace berth::mcp {

inline constexpr std::string_view mcp_path = "/mcp";

class StreamableHttp {
public:
    /// `dispatcher` must outlive this.
    StreamableHttp(const Dispatcher& dispatcher, HttpAccess access, std::string session_key);

    /// A handler for HttpServer: any path, any method, from many threads.
    [[nodiscard]] HttpResponse answer(const HttpRequest& request);

    /// The body for what HttpServer refuses by itself.
    [[nodiscard]] static std::string error_body(int status, std::string_view message);

private:
    [[nodiscard]] HttpResponse answer_post(const HttpRequest& request);
    [[nodiscard]] HttpResponse end_session(const HttpRequest& request);

    const Dispatcher& dispatcher_;
    HttpAccess access_;
    SessionIds sessions_;
};

}  // namespace berth::mcp
