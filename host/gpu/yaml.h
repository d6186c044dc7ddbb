// SPDX-License-Identifier: Apache-2.0
// YAML as JSON, for the one kind of file that vendors' tools write in it.
#pragma once

#include "tools-schema/contract/json.h"

#include <cstddef>
#include <string_view>

namespace berth::gpu {

/// Reads one YAML document of mappings, sequences and scalars. Plain scalars are null, booleans and
/// numbers where Go's YAML, which CDI's own tools use, takes them so; what is quoted is a string.
/// invalid_argument for what JSON has not (anchors, aliases, tags, keys that are no scalars, a key
/// that is there twice, a second document), for more than `bytes_max` bytes, and for more than
/// json_depth_max levels.
[[nodiscard]] Result<Json> parse_yaml(std::string_view text, std::size_t bytes_max);

}  // namespace berth::gpu
