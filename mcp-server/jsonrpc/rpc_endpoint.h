// SPDX-License-Identifier: Apache-2.0
// JSON-RPC 2.0 over HTTP POST: the method is a tool, the params are its arguments. This is how
// scripts, the berth CLI and berth-mcp reach berthd.
#pragma once

#include "base/http_message.h"
#include "tools-schema/registry/invoker.h"

#include <cstddef>
#include <functional>
#include <string_view>

namespace berth {

inline constexpr std::string_view rpc_path = "/rpc";

/// What a request says besides its body, each at most once: Call's members of these names.
inline constexpr std::string_view rpc_timeout_header = "berth-timeout-ms";  // still to wait
inline constexpr std::string_view rpc_background_header = "berth-background-after-ms";
inline constexpr std::string_view rpc_state_header = "berth-expected-state";
inline constexpr std::string_view rpc_caller_header = "berth-caller";
/// "1": the answer may come as lines, with progress before it.
inline constexpr std::string_view rpc_progress_header = "berth-progress";

/// A caller and a state are printable ASCII of at most this, without a space at either end.
inline constexpr std::size_t rpc_header_bytes_max = 200;
[[nodiscard]] bool fits_rpc_header(std::string_view text);

struct RpcOptions {
    /// The peer says for whom it calls, and is believed. Only where whoever can connect may act for
    /// anybody; elsewhere the header is ignored.
    bool trust_caller = false;
    /// Which methods there are; empty: all tools.
    std::function<bool(std::string_view)> has_method = {};
};

/// Answers any HTTP request. A tool's error is HTTP 200 with a JSON-RPC error; text that is no
/// JSON-RPC and headers that are malformed are 400; notifications alone are 204. The messages of a
/// batch run one after the other. The call is cancelled when the caller disconnects or the server
/// stops; what outlives the answer is not told any more. With `berth-progress: 1`, the first report
/// turns the answer into lines (application/x-ndjson): a `progress` notification for each report,
/// and at last what else would have been the body.
[[nodiscard]] HttpResponse answer_rpc(const HttpRequest& request, Invoker& invoker,
                                      const RpcOptions& options = {});

/// The body for what HttpServer refuses by itself (HttpServerOptions::error_body).
[[nodiscard]] std::string rpc_error_body(int status, std::string_view message);

}  // namespace berth
