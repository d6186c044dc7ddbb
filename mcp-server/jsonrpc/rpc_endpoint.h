// SPDX-License-Identifier: Apache-2.0
// JSON-RPC 2.0 over HTTP POST: the method is a tool, the params are its arguments. This is how
// scripts, the berth CLI and berth-mcp reach berthd.
#pragma once

#include "base/http_message.h"
#include "tools-schema/registry/invoker.h"

#include <string_view>

namespace berth {

inline constexpr std::string_view rpc_path = "/rpc";

/// How long the caller still waits, in milliseconds, when it says so.
inline constexpr std::string_view rpc_timeout_header = "berth-timeout-ms";

/// Answers any HTTP request. A tool's error is HTTP 200 with a JSON-RPC error; text that is no
/// JSON-RPC is 400; notifications alone are 204. The messages of a batch run one after the other.
[[nodiscard]] HttpResponse answer_rpc(const HttpRequest& request, Invoker& invoker);

/// The body for what HttpServer refuses by itself (HttpServerOptions::error_body).
[[nodiscard]] std::string rpc_error_body(int status, std::string_view message);

}  // namespace berth
