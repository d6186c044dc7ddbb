// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/table.h"

#include "mcp-server/cli/text.h"

#include <algorithm>

namespace berth::cli {
namespace {

using Widths = std::vector<std::size_t>;

constexpr std::size_t gap = 2;
/// A cell is never cut to less: what is left would tell nothing.
constexpr std::size_t cut_width_min = 8;

Widths widths_of(const std::vector<Row>& rows) {
    Widths widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], display_width(row[i].text));
        }
    }
    return widths;
}

std::size_t line_width(const Widths& widths, std::size_t widest) {
    std::size_t sum = widths.empty() ? 0 : gap * (widths.size() - 1);
    for (const auto width : widths) sum += std::min(width, widest);
    return sum;
}

/// How wide a cell may be so that every line fits; 0 when that would be too little.
std::size_t widest_that_fits(const Widths& widths, std::size_t columns) {
    std::size_t widest = widths.empty() ? 0 : std::ranges::max(widths);
    if (columns == 0) return widest;
    while (widest >= cut_width_min && line_width(widths, widest) > columns) --widest;
    return line_width(widths, widest) > columns ? 0 : widest;
}

std::string lines(const std::vector<Row>& rows, const Widths& widths, const Look& look) {
    std::string text;
    for (const auto& row : rows) {
        std::size_t owed = 0;  // spaces that are written when something follows them
        for (std::size_t i = 0; i < row.size(); ++i) {
            const auto shown = shortened(row[i].text, widths[i]);
            if (!shown.empty()) text.append(std::exchange(owed, 0), ' ');
            text += painted(shown, row[i].style, look);
            owed += widths[i] - display_width(shown) + gap;
        }
        text += '\n';
    }
    return text;
}

std::string records(const std::vector<Row>& rows, const Look& look) {
    std::string text;
    for (std::size_t at = 1; at < rows.size(); ++at) {
        std::vector<Row> fields;
        for (std::size_t i = 0; i < rows[at].size(); ++i) {
            fields.push_back({rows[0][i], rows[at][i]});
        }
        if (!text.empty()) text += '\n';
        text += align(fields, look);
    }
    return text;
}

}  // namespace

std::string align(const std::vector<Row>& rows, const Look& look) {
    return lines(rows, widths_of(rows), look);
}

std::string table(const std::vector<Row>& rows, const Look& look) {
    auto widths = widths_of(rows);
    const auto widest = widest_that_fits(widths, look.columns);
    if (widest == 0 && !widths.empty()) return records(rows, look);
    for (auto& width : widths) width = std::min(width, widest);
    return lines(rows, widths, look);
}

}  // namespace berth::cli
