// SPDX-License-Identifier: Apache-2.0
// Cells in columns, as wide as the stream allows.
#pragma once

#include "mcp-server/cli/terminal.h"

#include <string>
#include <vector>

namespace berth::cli {

struct Cell {
    std::string text;  // harmless, one line
    Style style = Style::plain;
};
using Row = std::vector<Cell>;

/// Columns two spaces apart, without spaces at the end of a line.
[[nodiscard]] std::string align(const std::vector<Row>& rows, const Look& look);

/// The same under a first row of headings. On a terminal that is too narrow the widest cells are
/// cut with "…", but ids are not; when it is too narrow even for that, each row becomes lines of
/// heading and value.
[[nodiscard]] std::string table(const std::vector<Row>& rows, const Look& look);

}  // namespace berth::cli
