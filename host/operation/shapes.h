// SPDX-License-Identifier: Apache-2.0
// Operations and errors as JSON.
#pragma once

#include "host/operation/run.h"
#include "tools-schema/contract/json.h"

#include <string>

namespace berth::operation {

/// The contract's OperationError.
[[nodiscard]] Json error_json(const Error& error);

/// The error of an operation that berthd itself has cut short.
[[nodiscard]] Error interrupted(std::string_view why);

/// The contract's Operation.
[[nodiscard]] Json operation_json(const State& state);

/// The container that the arguments of a tool name; "" when there is none.
[[nodiscard]] std::string container_of(const Json& arguments);

}  // namespace berth::operation
