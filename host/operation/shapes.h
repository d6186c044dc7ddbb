// SPDX-License-Identifier: Apache-2.0
// Operations and errors as JSON.
#pragma once

#include "host/operation/run.h"
#include "tools-schema/contract/json.h"

#include <string>

namespace berth::operation {

/// {code, message, field?, hint?, retry}
[[nodiscard]] Json error_json(const Error& error);

/// The error of an operation that berthd itself has cut short.
[[nodiscard]] Error interrupted(std::string_view why);

/// {id, tool, target, status, created_at, updated_at, expires_at?, progress?, result?, error?,
/// next?}; `target` is "" and the others with '?' are absent when there is none.
[[nodiscard]] Json operation_json(const State& state);

/// What the arguments of a tool name as the thing it works on; "" when that is nothing by name.
[[nodiscard]] std::string target_of(const Json& arguments);

}  // namespace berth::operation
