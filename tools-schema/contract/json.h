// SPDX-License-Identifier: Apache-2.0
// The JSON value of every room: keys keep the order they were written in, so that schemas read well
// and output is deterministic. Bytes from outside become Json only through parse_json.
#pragma once

#include "tools-schema/contract/result.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace berth {

using Json = nlohmann::ordered_json;

/// Deeper nesting than this crashes copies and dumps of the value, so it is refused while parsing.
inline constexpr std::size_t json_depth_max = 64;
/// What parse_json accepts when the caller names no bound of its own.
inline constexpr std::size_t json_bytes_max = 16 * 1024 * 1024;

/// Reads one JSON text. invalid_argument for malformed text, for more than `bytes_max` bytes, for
/// more than json_depth_max levels, and for an object that names a key twice.
[[nodiscard]] Result<Json> parse_json(std::string_view text,
                                      std::size_t bytes_max = json_bytes_max);

/// Writes a value on one line; bytes that are no UTF-8 become U+FFFD instead of an exception.
[[nodiscard]] std::string to_text(const Json& value);

/// The same, indented by two spaces, for people.
[[nodiscard]] std::string to_pretty_text(const Json& value);

}  // namespace berth
