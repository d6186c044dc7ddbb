// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/policy/pattern.h"

#include <cstddef>

namespace berth::policy {

bool matches(std::string_view pattern, std::string_view text) {
    std::size_t at = 0, in_text = 0;
    std::size_t after_star = std::string_view::npos, star_ends_at = 0;
    while (in_text < text.size()) {
        if (at < pattern.size() && pattern[at] == '*') {
            after_star = ++at;
            star_ends_at = in_text;
        } else if (at < pattern.size() && pattern[at] == text[in_text]) {
            ++at;
            ++in_text;
        } else if (after_star != std::string_view::npos) {
            // The last star takes one byte more; earlier ones need not be tried again.
            at = after_star;
            in_text = ++star_ends_at;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

}  // namespace berth::policy
