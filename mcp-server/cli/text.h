// SPDX-License-Identifier: Apache-2.0
// Text from elsewhere, as a terminal may be given it: nothing in it steers the terminal, and its
// width is known.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace berth::cli {

/// Makes text harmless: a control character becomes "^[", a C1 control, a line separator or a mark
/// that turns the direction of writing "<U+202E>", and what is no UTF-8 U+FFFD. The characters in
/// `allowed` stay as they are.
[[nodiscard]] std::string harmless(std::string_view text, std::string_view allowed = "");

/// How many columns harmless text takes.
[[nodiscard]] std::size_t display_width(std::string_view text);

/// The text, or as much of its begin as fits into `columns` together with "…".
[[nodiscard]] std::string shortened(std::string_view text, std::size_t columns);

/// JSON text of the same value in which no character steers a terminal: those that JSON lets stand
/// in a string become \u escapes.
[[nodiscard]] std::string harmless_json(std::string_view json);

}  // namespace berth::cli
