// SPDX-License-Identifier: Apache-2.0
// What is wrong with a message, as opposed to with what a tool was asked to do: a JSON-RPC error.
#pragma once

#include "mcp-server/jsonrpc/message.h"

#include <expected>
#include <string>
#include <utility>

namespace berth::mcp {

// The codes of MCP beyond JSON-RPC's own.
inline constexpr int implementation_error = -32000;
inline constexpr int session_not_found = -32001;
inline constexpr int legacy_resource_not_found = -32002;
inline constexpr int header_mismatch = -32020;
inline constexpr int missing_capability = -32021;
inline constexpr int unsupported_version = -32022;

/// A protocol error, and the HTTP status a modern answer has with it. Legacy answers have 200 once
/// the message was understood.
struct Fault {
    int http_status = 200;
    jsonrpc::RpcError error;
    std::string www_authenticate = {};  // with 403: what the caller's token lacks
};

[[nodiscard]] inline std::unexpected<Fault> fault(int http_status, int code, std::string message,
                                                  Json data = nullptr) {
    return std::unexpected(
        Fault{.http_status = http_status,
              .error = {.code = code, .message = std::move(message), .data = std::move(data)}});
}

[[nodiscard]] inline std::unexpected<Fault> invalid_params(std::string message,
                                                           Json data = nullptr) {
    return fault(200, jsonrpc::invalid_params, std::move(message), std::move(data));
}

/// The client did not declare what answering would take: {"sampling": {}}, …
[[nodiscard]] inline std::unexpected<Fault> capability_missing(Json required) {
    return fault(400, missing_capability, "the client lacks a capability that this needs",
                 {{"requiredCapabilities", std::move(required)}});
}

}  // namespace berth::mcp
