// SPDX-License-Identifier: Apache-2.0
// What each ErrorCode means on every wire. The table itself is generated from errors.json, and does
// not compile when that file and the enumeration disagree.
#pragma once

#include "tools-schema/contract/result.h"

#include <optional>
#include <span>
#include <string_view>

namespace berth {

struct ErrorInfo {
    ErrorCode code;
    std::string_view name;   // "invalid_argument"
    int jsonrpc;             // the code of a JSON-RPC error object
    int http;                // the HTTP status
    int exit;                // the exit code of the command line
    std::string_view retry;  // "no", "later", "yes", "with confirm_token"
    std::string_view meaning;
};

/// Every code, in the order of the enumeration.
[[nodiscard]] std::span<const ErrorInfo> error_table();

[[nodiscard]] const ErrorInfo& error_info(ErrorCode code);

/// The code of that wire name; nothing for a name that is none.
[[nodiscard]] std::optional<ErrorCode> error_code(std::string_view name);

}  // namespace berth
