// SPDX-License-Identifier: Apache-2.0
// A name for the state that a target was in when somebody looked at it, so that a change can be
// made to that state alone.
#pragma once

#include "tools-schema/contract/json.h"

#include <string>
#include <string_view>

namespace berth {

/// "sha256:" and 64 hexadecimal digits, of the tool's name and the target. The same for the same
/// members in the same order.
[[nodiscard]] std::string state_digest(std::string_view tool, const Json& target);

}  // namespace berth
