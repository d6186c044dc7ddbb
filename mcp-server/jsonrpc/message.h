// SPDX-License-Identifier: Apache-2.0
// JSON-RPC 2.0 as values: text in, messages out, and back. Pure; knows no transport and no method.
#pragma once

#include "tools-schema/contract/json.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace berth::jsonrpc {

inline constexpr int parse_error = -32700;
inline constexpr int invalid_request = -32600;
inline constexpr int method_not_found = -32601;
inline constexpr int invalid_params = -32602;
inline constexpr int internal_error = -32603;

/// More messages in one batch than this are refused.
inline constexpr std::size_t batch_messages_max = 64;

/// Answered with the type it came with: 1 is not "1".
using Id = std::variant<std::int64_t, std::string>;

struct RpcError {
    int code = internal_error;
    std::string message;
    Json data = nullptr;  // null: none
};

struct Request {
    Id id;
    std::string method;
    Json params;  // an object, an array, or null when there are none
};

/// A request that wants no answer.
struct Notification {
    std::string method;
    Json params;
};

/// An answer from the other side.
struct Response {
    std::optional<Id> id;
    Json result;  // when there is no error
    std::optional<RpcError> error;
};

using Message = std::variant<Request, Notification, Response>;

/// Why something is no message, with its id when that much could be read.
struct Refusal {
    std::optional<Id> id;
    RpcError error;
};

using Parsed = std::expected<Message, Refusal>;

struct Payload {
    bool batch = false;
    std::vector<Parsed> messages;  // one, or those of the batch in order
};

/// Reads one message or a batch. What is wrong with one message of a batch stays with that message;
/// a refusal of the whole is for malformed JSON, an empty batch and one that is too long.
[[nodiscard]] std::expected<Payload, Refusal> parse(std::string_view text,
                                                    std::size_t bytes_max = json_bytes_max);

[[nodiscard]] Parsed parse_message(Json value);

/// One line of text. `result` is JSON text, so that what never changes is written only once.
[[nodiscard]] std::string result_text(const Id& id, std::string_view result);

/// Without an id when it could not be read: a null there is invalid to MCP clients.
[[nodiscard]] std::string error_text(const std::optional<Id>& id, const RpcError& error);

}  // namespace berth::jsonrpc
