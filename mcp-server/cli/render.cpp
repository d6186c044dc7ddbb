// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace berth::cli {
namespace {

using Row = std::vector<std::string>;

/// Text from a container must not steer the terminal.
std::string harmless(std::string text, std::string_view allowed = "") {
    std::ranges::replace_if(
        text,
        [allowed](char c) {
            const auto byte = static_cast<unsigned char>(c);
            return (byte < 0x20 || byte == 0x7f) && !allowed.contains(c);
        },
        '?');
    return text;
}

bool is_table(const Json& value) {
    return value.is_array() && !value.empty() && value.front().is_object();
}

std::string cell(const Json& value) {
    if (value.is_string()) return harmless(value.get<std::string>());
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (!value.is_array()) return to_text(value);
    std::string text;
    for (const auto& item : value) text += (text.empty() ? "" : ", ") + cell(item);
    return text.empty() ? "-" : text;
}

std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// Columns two spaces apart, without spaces at the end of a line.
std::string align(const std::vector<Row>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], width_of(row[i]));
    }
    std::string text;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            text += row[i];
            if (i + 1 < row.size()) text.append(widths[i] - width_of(row[i]) + 2, ' ');
        }
        text.erase(text.find_last_not_of(' ') + 1);
        text += '\n';
    }
    return text;
}

std::string heading(std::string key) {
    std::ranges::transform(key, key.begin(), [](unsigned char c) {
        return c == '_' ? ' ' : static_cast<char>(std::toupper(c));
    });
    return key;
}

/// A column for each key that any row has.
std::string table(const Json& list) {
    std::vector<std::string> keys;
    for (const auto& item : list) {
        for (const auto& [key, value] : item.items()) {
            if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
        }
    }
    std::vector<Row> rows(1);
    for (const auto& key : keys) rows[0].push_back(heading(key));
    for (const auto& item : list) {
        Row row;
        for (const auto& key : keys) row.push_back(item.contains(key) ? cell(item[key]) : "-");
        rows.push_back(std::move(row));
    }
    return align(rows);
}

/// Sorts an object's members into key-value rows and whatever needs lines of its own.
void collect(const Json& object, const std::string& prefix, std::vector<Row>& rows,
             std::vector<std::pair<std::string, std::string>>& blocks) {
    for (const auto& [key, value] : object.items()) {
        if (value.is_object()) {
            collect(value, prefix + key + ".", rows, blocks);
        } else if (is_table(value)) {
            blocks.emplace_back(prefix + key, table(value));
        } else if (value.is_string() && value.get_ref<const std::string&>().contains('\n')) {
            auto text = harmless(value.get<std::string>(), "\n\t");
            if (!text.ends_with('\n')) text += '\n';
            blocks.emplace_back(prefix + key, std::move(text));
        } else {
            rows.push_back({prefix + key, cell(value)});
        }
    }
}

}  // namespace

std::string render(const Json& result) {
    if (!result.is_object()) return cell(result) + "\n";
    // A list with its total needs no "total" line unless it is only a part.
    Json shown = result;
    if (const auto total = shown.find("total"); total != shown.end() && shown.size() == 2) {
        const auto& list = shown.begin()->is_array() ? *shown.begin() : *std::next(shown.begin());
        if (list.is_array() && list.size() == *total) {
            if (list.empty()) return "none\n";
            shown.erase("total");
        }
    }
    std::vector<Row> rows;
    std::vector<std::pair<std::string, std::string>> blocks;
    collect(shown, "", rows, blocks);
    std::string text = align(rows);
    const bool titled = !rows.empty() || blocks.size() > 1;
    for (const auto& [title, block] : blocks) {
        if (!text.empty()) text += '\n';
        text += (titled ? title + ":\n" : "") + block;
    }
    return text;
}

std::string render(const Error& error) {
    auto text = fmt::format("berth: {}\n", harmless(error.message));
    if (!error.field.empty()) text += fmt::format("  field: {}\n", harmless(error.field));
    if (!error.hint.empty()) text += fmt::format("  next: {}\n", harmless(error.hint));
    return text;
}

}  // namespace berth::cli
