// SPDX-License-Identifier: Apache-2.0
// The members of results: what tools and tasks came to, as clients of either era read it.
#pragma once

#include "mcp-server/protocol/offer.h"

namespace berth::mcp {

/// How long clients may keep what changes only with the program.
inline constexpr int unchanging_ttl_ms = 300'000;
/// Names in _meta the subscription that a notification belongs to.
inline constexpr const char* subscription_key = "io.modelcontextprotocol/subscriptionId";

/// What a refusal is on the wire: a tool's own error becomes an error of the protocol.
[[nodiscard]] Fault to_fault(const Refusal& refusal);

[[nodiscard]] Json text_block(std::string text);

/// content, and structuredContent where there is one.
[[nodiscard]] Json tool_result(const TypedOutput& output);
[[nodiscard]] Json tool_result(const RawContent& content);

/// isError, with a text that stands alone. Where the error object is depends on the era: older
/// clients check structuredContent against the tool's outputSchema even when the call failed.
[[nodiscard]] Json tool_result(const Error& error, Era era);

/// The members of a tasks/get result and of notifications/tasks.
[[nodiscard]] Json task_members(const Task& task);

}  // namespace berth::mcp
