// SPDX-License-Identifier: Apache-2.0
// Names of tools and labels as rules write them: literal, or with '*' for any text.
#pragma once

#include <string_view>

namespace berth::policy {

/// The whole text, byte for byte, where '*' stands for any text, also for none. Takes no longer
/// than the product of both lengths.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);

/// False for a literal name.
[[nodiscard]] inline bool is_pattern(std::string_view text) {
    return text.find('*') != std::string_view::npos;
}

}  // namespace berth::policy
