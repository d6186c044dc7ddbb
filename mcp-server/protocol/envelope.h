// SPDX-License-Identifier: Apache-2.0
// Which era a request belongs to, and whether what it says about itself holds together: the checks
// that come before any method. The order of the checks is part of the protocol.
#pragma once

#include "base/http_message.h"
#include "mcp-server/protocol/fault.h"
#include "mcp-server/protocol/versions.h"

#include <expected>
#include <optional>
#include <string>

namespace berth::mcp {

inline constexpr const char* version_key = "io.modelcontextprotocol/protocolVersion";
inline constexpr const char* capabilities_key = "io.modelcontextprotocol/clientCapabilities";
inline constexpr const char* log_level_key = "io.modelcontextprotocol/logLevel";

/// `headers` is null over stdio, where a request says everything in its body.
[[nodiscard]] std::expected<Era, Fault> check_envelope(const jsonrpc::Request& request,
                                                       const HttpHeaders* headers);

/// The same for a message that is answered with nothing and so is checked for nothing more.
[[nodiscard]] std::expected<Era, Fault> check_version_header(const HttpHeaders* headers);

/// A header that may be there once, without the space around it; a Fault when it is there twice.
[[nodiscard]] std::expected<std::optional<std::string>, Fault> single_header(
    const HttpHeaders* headers, std::string_view name);

/// A header's value may come as "=?base64?…?=" when HTTP cannot carry it as it is.
[[nodiscard]] std::expected<std::string, Fault> decoded_header(std::string_view name,
                                                               const std::string& value);

/// A member of an object; nullptr when there is none, and for what is no object.
[[nodiscard]] const Json* member(const Json& object, const char* key);

}  // namespace berth::mcp
