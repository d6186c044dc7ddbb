// SPDX-License-Identifier: Apache-2.0
// Runs a handler that may have to be told something first. A modern client gets the questions as a
// result and repeats the request with the answers; a legacy client is asked while it waits.
#pragma once

#include "mcp-server/auth/seal.h"
#include "mcp-server/protocol/offer.h"
#include "mcp-server/protocol/session.h"

#include <functional>

namespace berth::mcp {

/// A handler that asks more often than this is broken off.
inline constexpr int legacy_rounds_max = 8;
/// How long a modern client may take to come back with the answers.
inline constexpr std::chrono::seconds request_state_kept{600};

/// A handler with everything but the circumstances: the members of a result, or questions.
using Step = std::function<DataAnswer(const Asked& asked)>;

/// `about` is what the answers must be given to again: method and parameters. `params` may hold
/// inputResponses and requestState. Result members: those of the handler with resultType
/// "complete", or the questions with "input_required".
[[nodiscard]] std::expected<Json, Refusal> run_modern(const Step& step, Asked asked,
                                                      const Json& params, const std::string& about,
                                                      const auth::Seals& seals);

/// Asks through `session` and `exchange`.
[[nodiscard]] std::expected<Json, Refusal> run_legacy(const Step& step, Asked asked,
                                                      Session* session, Exchange* exchange);

}  // namespace berth::mcp
