// SPDX-License-Identifier: Apache-2.0
// berth's Error on a JSON wire, and back: the same members in JSON-RPC's error.data and in a tool's
// structuredContent.
#pragma once

#include "mcp-server/jsonrpc/message.h"
#include "tools-schema/contract/result.h"

namespace berth::jsonrpc {

/// {code, message, field?, hint?, next?, problems?, details?, retry}; what is empty is left out.
[[nodiscard]] Json error_object(const Error& error);

/// The code of the error table, and the members above without the message as data.
[[nodiscard]] RpcError to_rpc_error(const Error& error);

/// The reverse. What berthd never sends becomes `internal`.
[[nodiscard]] Error from_rpc_error(const RpcError& error);

}  // namespace berth::jsonrpc
