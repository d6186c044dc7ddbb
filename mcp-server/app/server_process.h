// SPDX-License-Identifier: Apache-2.0
// Runs an MCP server as this process, until it is asked to end.
#pragma once

#include "base/http_listener.h"
#include "mcp-server/protocol/dispatcher.h"
#include "mcp-server/transport/access.h"

#include <functional>

namespace berth::mcp {

/// Until the client closes the stream. Ends the process itself when a call does not let go.
[[nodiscard]] Result<> run_on_stdio(const Dispatcher& dispatcher);

/// Until a signal. `listening` is told the port.
[[nodiscard]] Result<> run_on_http(const Dispatcher& dispatcher, const TcpEndpoint& endpoint,
                                   HttpAccess access,
                                   const std::function<void(std::uint16_t)>& listening = {});

}  // namespace berth::mcp
