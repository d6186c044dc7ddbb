// SPDX-License-Identifier: Apache-2.0
// Which era a request belongs to, and whether what it says about itself holds together: the checks
// that come before any method. The order of the checks is part of the protocol.
#pragma once

#include "base/http_message.h"
#include "mcp-server/jsonrpc/message.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace berth::mcp {

enum class Era : std::uint8_t { legacy, modern };

/// A protocol error, and the HTTP status it goes out with.
struct Fault {
    int http_status = 200;
    jsonrpc::RpcError error;
};

inline constexpr int implementation_error = -32000;
inline constexpr int session_not_found = -32001;
inline constexpr int header_mismatch = -32020;
inline constexpr int unsupported_version = -32022;

/// `headers` is null over stdio, where a request says everything in its body.
[[nodiscard]] std::expected<Era, Fault> check_envelope(const jsonrpc::Request& request,
                                                       const HttpHeaders* headers);

/// The same for a message that is answered with nothing and so is checked for nothing more.
[[nodiscard]] std::expected<Era, Fault> check_version_header(const HttpHeaders* headers);

/// A member of an object; nullptr when there is none, and for what is no object.
[[nodiscard]] const Json* member(const Json& object, const char* key);

}  // namespace berth::mcp
