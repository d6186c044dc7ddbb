// SPDX-License-Identifier: Apache-2.0
// MCP over a pair of streams: one message a line, answers in the order they are ready.
#pragma once

#include "base/fd.h"
#include "mcp-server/protocol/dispatcher.h"

#include <cstddef>

namespace berth::mcp {

/// A longer line is thrown away and answered with an error.
inline constexpr std::size_t line_bytes_max = 16 * 1024 * 1024;
/// So many listens may be open.
inline constexpr std::size_t stdio_listens_max = 256;

struct StdioStreams {
    Fd input;
    Fd output;
    Fd signals;  // readable when the process is to end; may be empty
};

/// Who is at the other end, and which tools it may use (null: all).
struct StdioClient {
    std::string principal = "mcp-stdio";
    std::shared_ptr<const ToolScope> tools = {};
};

/// Serves until the input ends, the output breaks or a signal comes; then gives what is in flight
/// up to two seconds. False when a call still runs after that: then only ending the process helps.
[[nodiscard]] bool serve_stdio(const Dispatcher& dispatcher, StdioStreams streams,
                               StdioClient client = {});

}  // namespace berth::mcp
