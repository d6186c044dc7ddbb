// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace berth::cli {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::string_view ellipsis = "\xe2\x80\xa6";     // U+2026

struct Character {
    char32_t code = 0;
    std::size_t bytes = 1;
    bool valid = false;
};

struct Range {
    char32_t first;
    char32_t last;
};

template <std::size_t count>
bool in(const std::array<Range, count>& ranges, char32_t code) {
    return std::ranges::any_of(
        ranges, [code](const Range& range) { return code >= range.first && code <= range.last; });
}

/// What steers a terminal or the reading of a line: DEL and the C1 controls, line separators, and
/// marks of direction.
constexpr std::array<Range, 5> steering{
    {{0x7f, 0x9f}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}, {0x61c, 0x61c}}};

/// Marks that are drawn over the character before them.
constexpr std::array<Range, 5> without_width{
    {{0x300, 0x36f}, {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}}};

/// What terminals draw in two columns (East Asian Width W and F, and pictographs).
constexpr std::array<Range, 10> wide{{{0x1100, 0x115f},
                                      {0x2e80, 0x303e},
                                      {0x3041, 0xa4cf},
                                      {0xac00, 0xd7a3},
                                      {0xf900, 0xfaff},
                                      {0xfe30, 0xfe6f},
                                      {0xff00, 0xff60},
                                      {0xffe0, 0xffe6},
                                      {0x1f300, 0x1faff},
                                      {0x20000, 0x3fffd}}};

std::size_t length_by_first_byte(unsigned char first) {
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first < 0xe0) return 2;
    if (first >= 0xe0 && first < 0xf0) return 3;
    if (first >= 0xf0 && first < 0xf5) return 4;
    return 0;
}

/// The character that begins `text`, which is not empty.
Character first_character(std::string_view text) {
    constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    const auto first = static_cast<unsigned char>(text.front());
    const auto length = length_by_first_byte(first);
    if (length == 0 || length > text.size()) return {};
    if (length == 1) return {.code = first, .bytes = 1, .valid = true};
    auto code = static_cast<char32_t>(first & (0xff >> (length + 1)));
    for (std::size_t at = 1; at < length; ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        if ((byte & 0xc0) != 0x80) return {};
        code = (code << 6) | (byte & 0x3fU);
    }
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < least.at(length) || surrogate || code > 0x10ffff) return {};
    return {.code = code, .bytes = length, .valid = true};
}

std::size_t width_of(char32_t code) {
    if (in(without_width, code)) return 0;
    return in(wide, code) ? 2 : 1;
}

}  // namespace

std::string harmless(std::string_view text, std::string_view allowed) {
    std::string safe;
    safe.reserve(text.size());
    while (!text.empty()) {
        const auto next = first_character(text);
        const auto bytes = text.substr(0, next.bytes);
        text.remove_prefix(next.bytes);
        if (!next.valid) {
            safe += replacement;
        } else if (next.bytes == 1 && allowed.contains(bytes.front())) {
            safe += bytes;
        } else if (next.code < 0x20) {
            safe += {'^', static_cast<char>(next.code + '@')};
        } else if (next.code == 0x7f) {
            safe += "^?";
        } else if (in(steering, next.code)) {
            safe += fmt::format("<U+{:04X}>", static_cast<std::uint32_t>(next.code));
        } else {
            safe += bytes;
        }
    }
    return safe;
}

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const auto next = first_character(text);
        width += next.valid ? width_of(next.code) : 1;
        text.remove_prefix(next.bytes);
    }
    return width;
}

std::string shortened(std::string_view text, std::size_t columns) {
    if (display_width(text) <= columns) return std::string(text);
    if (columns == 0) return "";
    std::size_t kept = 0;
    for (std::size_t width = 0; kept < text.size();) {
        const auto next = first_character(text.substr(kept));
        width += next.valid ? width_of(next.code) : 1;
        if (width > columns - 1) break;
        kept += next.bytes;
    }
    return std::string(text.substr(0, kept)).append(ellipsis);
}

std::string harmless_json(std::string_view json) {
    std::string safe;
    safe.reserve(json.size());
    while (!json.empty()) {
        const auto next = first_character(json);
        if (next.valid && in(steering, next.code)) {
            safe += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(next.code));
        } else {
            safe += json.substr(0, next.bytes);
        }
        json.remove_prefix(next.bytes);
    }
    return safe;
}

}  // namespace berth::cli
