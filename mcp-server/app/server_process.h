// SPDX-License-Identifier: Apache-2.0
// Runs an MCP server as this process, until it is asked to end.
#pragma once

#include "base/http_listener.h"
#include "base/http_server.h"
#include "mcp-server/protocol/dispatcher.h"
#include "mcp-server/transport/stdio.h"
#include "mcp-server/transport/streamable_http.h"

#include <functional>
#include <variant>

namespace berth::mcp {

/// Until the client closes the stream. Ends the process itself when a call does not let go.
[[nodiscard]] Result<> run_on_stdio(const Dispatcher& dispatcher, StdioClient client = {});

struct HttpService {
    std::variant<TcpEndpoint, UnixEndpoint> endpoint = {};
    auth::Seals seals;  // of session ids
    HttpTransportOptions transport = {};
    std::size_t connections_max = 512;
    std::size_t body_bytes_max = 16 * std::size_t{1024} * 1024;
    std::function<void(std::uint16_t port)> listening = {};  // told once it serves
};

/// Until a signal.
[[nodiscard]] Result<> run_on_http(const Dispatcher& dispatcher, HttpService service);

}  // namespace berth::mcp
