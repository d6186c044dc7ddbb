// SPDX-License-Identifier: Apache-2.0
// A tool's result as text that stands alone: many clients show the model nothing else.
#pragma once

#include "tools-schema/contract/json.h"
#include "tools-schema/contract/result.h"

#include <cstddef>
#include <string>

namespace berth::mcp {

/// More is cut, and the cut is named.
inline constexpr std::size_t text_bytes_max = 32 * 1024;

/// "key: value" lines, a table for a list of objects. The output of a command comes as it is, below
/// a line that says how the command ended, because a cut takes the end.
[[nodiscard]] std::string render(const Json& output);

/// What failed, where, what to do next, and whether to try again.
[[nodiscard]] std::string render(const Error& error);

}  // namespace berth::mcp
