// SPDX-License-Identifier: Apache-2.0
// The newest lines of what a command has written, within what a call may answer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace berth::tools {

struct Lines {
    std::vector<std::string> lines;  // oldest first
    bool truncated = false;          // older lines, or the ends of long ones, are left out
};

/// The last `count` lines of UTF-8 text; each at most `line_bytes_max`, and all together
/// `bytes_max`.
[[nodiscard]] Lines newest_lines(std::string_view text, std::size_t count, std::size_t bytes_max,
                                 std::size_t line_bytes_max);

}  // namespace berth::tools
