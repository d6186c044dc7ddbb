// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/clients/undo.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace berth::clients {
namespace {

constexpr std::size_t context_lines = 3;

bool in_character(std::string_view text, std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

using Lines = std::vector<std::string_view>;

Lines cut_lines(std::string_view text) {
    Lines lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return lines;
}

void add(std::string& diff, char mark, const Lines& lines, std::size_t begin, std::size_t end) {
    for (auto at = begin; at < end; ++at) {
        diff += mark;
        diff += lines[at];
        if (!lines[at].ends_with('\n')) diff += "\n\\ No newline at end of file\n";
    }
}

/// "3,7": a first line and a count, as diffs have them.
std::string range(std::size_t begin, std::size_t end) {
    return fmt::format("{},{}", end == begin ? begin : begin + 1, end - begin);
}

}  // namespace

Edit edit_between(std::string_view before, std::string_view after) {
    const auto shorter = std::min(before.size(), after.size());
    std::size_t front = 0;
    while (front < shorter && before[front] == after[front]) ++front;
    while (front > 0 && (in_character(before, front) || in_character(after, front))) --front;
    std::size_t back = 0;
    while (back < shorter - front &&
           before[before.size() - 1 - back] == after[after.size() - 1 - back]) {
        ++back;
    }
    while (back > 0 && in_character(before, before.size() - back)) --back;
    return {.removed = std::string(before.substr(front, before.size() - back - front)),
            .inserted = std::string(after.substr(front, after.size() - back - front))};
}

std::optional<std::string> undone(const Edit& edit, std::string_view text) {
    if (edit.inserted.empty()) return std::nullopt;
    const auto at = text.find(edit.inserted);
    if (at == std::string_view::npos) return std::nullopt;
    if (text.find(edit.inserted, at + 1) != std::string_view::npos) return std::nullopt;
    return std::string(text.substr(0, at))
        .append(edit.removed)
        .append(text.substr(at + edit.inserted.size()));
}

std::string unified_diff(std::string_view name_before, std::string_view before,
                         std::string_view name_after, std::string_view after) {
    if (before == after) return "";
    const auto old_lines = cut_lines(before);
    const auto new_lines = cut_lines(after);
    const auto shorter = std::min(old_lines.size(), new_lines.size());
    std::size_t front = 0;
    while (front < shorter && old_lines[front] == new_lines[front]) ++front;
    std::size_t back = 0;
    while (back < shorter - front &&
           old_lines[old_lines.size() - 1 - back] == new_lines[new_lines.size() - 1 - back]) {
        ++back;
    }
    const auto begin = front - std::min(front, context_lines);
    const auto tail = std::min(back, context_lines);
    const auto old_end = old_lines.size() - back;
    const auto new_end = new_lines.size() - back;
    auto diff = fmt::format("--- {}\n+++ {}\n@@ -{} +{} @@\n", name_before, name_after,
                            range(begin, old_end + tail), range(begin, new_end + tail));
    add(diff, ' ', old_lines, begin, front);
    add(diff, '-', old_lines, front, old_end);
    add(diff, '+', new_lines, front, new_end);
    add(diff, ' ', old_lines, old_end, old_end + tail);
    return diff;
}

}  // namespace berth::clients
