// SPDX-License-Identifier: Apache-2.0
// The short form of an answer: what an agent needs for its next step, and nothing that it would
// have to read past.
#pragma once

#include "tools-schema/contract/json.h"
#include "tools-schema/registry/tool_spec.h"

#include <cstdint>

namespace berth {

enum class ResponseFormat : std::uint8_t { concise, detailed };

/// `output` with only the members that the tool's "concise" names, in their old order; a pointer to
/// a list means each of its items. As it is when `detailed`, or when the tool has one format only.
[[nodiscard]] Json shaped(const ToolSpec& tool, Json output, ResponseFormat format);

}  // namespace berth
