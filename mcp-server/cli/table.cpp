// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/table.h"

#include "mcp-server/cli/text.h"

#include <algorithm>
#include <numeric>
#include <optional>

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

/// The widths when no cell is wider than `widest`, but ids, which somebody types back, are whole.
Widths cut(Widths widths, const Row& headings, std::size_t widest) {
    for (std::size_t i = 0; i < headings.size(); ++i) {
        if (headings[i].text != "ID") widths[i] = std::min(widths[i], widest);
    }
    return widths;
}

std::size_t line_width(const Widths& widths) {
    return std::accumulate(widths.begin(), widths.end(), gap * (widths.size() - 1));
}

/// The widths with which every line fits; nothing when too little would be left of a cell.
std::optional<Widths> widths_that_fit(const Widths& widths, const Row& headings,
                                      std::size_t columns) {
    if (columns == 0 || line_width(widths) <= columns) return widths;
    for (auto widest = std::ranges::max(widths); widest >= cut_width_min; --widest) {
        auto narrow = cut(widths, headings, widest);
        if (line_width(narrow) <= columns) return narrow;
    }
    return std::nullopt;
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
    const auto widths = widths_of(rows);
    if (widths.empty()) return "";
    const auto fitting = widths_that_fit(widths, rows.front(), look.columns);
    return fitting ? lines(rows, *fitting, look) : records(rows, look);
}

}  // namespace berth::cli
