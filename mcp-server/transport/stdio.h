// SPDX-License-Identifier: Apache-2.0
// MCP over a pair of streams: one message a line, answers in the order they are ready.
#pragma once

#include "base/fd.h"
#include "mcp-server/protocol/dispatcher.h"

#include <cstddef>

namespace berth::mcp {

/// A longer line is thrown away and answered with an error.
inline constexpr std::size_t line_bytes_max = 16 * 1024 * 1024;
/// With this many calls running, no further line is read.
inline constexpr std::size_t stdio_calls_max = 64;

struct StdioStreams {
    Fd input;
    Fd output;
    Fd signals;  // readable when the process is to end; may be empty
};

/// Serves until the input ends, the output breaks or a signal comes; then gives what is in flight
/// up to two seconds. False when a call still runs after that: then only ending the process helps.
[[nodiscard]] bool serve_stdio(const Dispatcher& dispatcher, StdioStreams streams);

}  // namespace berth::mcp
