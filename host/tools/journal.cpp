// SPDX-License-Identifier: Apache-2.0
#include "host/tools/journal.h"

#include <algorithm>

namespace berth::tools {
namespace {

/// As much of `line` as fits, and no half character at its end.
std::string_view cut(std::string_view line, std::size_t bytes_max) {
    if (line.size() <= bytes_max) return line;
    constexpr unsigned continues = 0x80, continues_mask = 0xc0;  // RFC 3629
    while (bytes_max > 0 &&
           (static_cast<unsigned char>(line[bytes_max]) & continues_mask) == continues) {
        --bytes_max;
    }
    return line.substr(0, bytes_max);
}

}  // namespace

Lines newest_lines(std::string_view text, std::size_t count, std::size_t bytes_max,
                   std::size_t line_bytes_max) {
    Lines out;
    std::size_t bytes = 0;
    if (text.ends_with('\n')) text.remove_suffix(1);
    bool more = !text.empty();
    while (more && out.lines.size() < count) {
        const auto end = text.rfind('\n');
        const auto line = end == std::string_view::npos ? text : text.substr(end + 1);
        const auto kept = cut(line, line_bytes_max);
        if (bytes + kept.size() > bytes_max) break;
        bytes += kept.size();
        out.truncated = out.truncated || kept.size() < line.size();
        out.lines.emplace_back(kept);
        more = end != std::string_view::npos;
        text = text.substr(0, more ? end : 0);
    }
    out.truncated = out.truncated || more;
    std::ranges::reverse(out.lines);
    return out;
}

}  // namespace berth::tools
