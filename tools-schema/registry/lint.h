// SPDX-License-Identifier: Apache-2.0
// What clients and model APIs stumble over in a list of tools, looked for before they do.
#pragma once

#include "tools-schema/contract/json.h"

#include <span>
#include <string>
#include <vector>

namespace berth {

/// What one tools/list entry may cost in bytes: more than this is no longer one tool.
inline constexpr std::size_t listing_bytes_max = 8 * 1024;

/// Everything wrong with these tools/list entries, as a client sees them, one "tool: /pointer: why"
/// each; empty when all is well. The rules: schemas of type object with no combinators at the root,
/// one type and no `true` or `false` for a schema anywhere, each argument described and the
/// optional ones with their default, all four annotations, a title, a description, a name of
/// [a-z][a-z0-9_]{0,39}, and names that are unique and in order.
[[nodiscard]] std::vector<std::string> lint(std::span<const Json> listings);

}  // namespace berth
