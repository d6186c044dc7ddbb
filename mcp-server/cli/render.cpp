// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/render.h"

#include "mcp-server/cli/table.h"
#include "mcp-server/cli/text.h"
#include "mcp-server/cli/verbs.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace berth::cli {
namespace {

constexpr std::string_view name_characters = "abcdefghijklmnopqrstuvwxyz0123456789_";
constexpr std::size_t call_word_bytes = std::string_view("call ").size();

bool is_table(const Json& value) {
    return value.is_array() && !value.empty() && value.front().is_object();
}

std::string text_of(const Json& value) {
    if (value.is_string()) return harmless(value.get_ref<const std::string&>());
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_null()) return "-";
    if (!value.is_array()) return harmless(to_text(value));
    std::string text;
    for (const auto& item : value) text += (text.empty() ? "" : ", ") + text_of(item);
    return text.empty() ? "-" : text;
}

Cell cell(std::string_view key, const Json& value) {
    auto text = text_of(value);
    const auto style = style_of(key, text);
    return {.text = std::move(text), .style = style};
}

std::string heading(std::string key) {
    std::ranges::transform(key, key.begin(), [](unsigned char c) {
        return c == '_' ? ' ' : static_cast<char>(std::toupper(c));
    });
    return harmless(key);
}

/// A column for each key that any row has.
std::string table_of(const Json& list, const Look& look) {
    std::vector<std::string> keys;
    for (const auto& item : list) {
        if (!item.is_object()) continue;
        for (const auto& [key, value] : item.items()) {
            if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
        }
    }
    std::vector<Row> rows(1);
    for (const auto& key : keys) rows[0].push_back({heading(key), Style::heading});
    for (const auto& item : list) {
        Row row;
        for (const auto& key : keys) {
            const bool there = item.is_object() && item.contains(key);
            row.push_back(there ? cell(key, item[key]) : Cell{"-"});
        }
        rows.push_back(std::move(row));
    }
    return table(rows, look);
}

/// Sorts an object's members into key-value rows and whatever needs lines of its own.
void collect(const Json& object, const std::string& prefix, const Look& look,
             std::vector<Row>& rows, std::vector<std::pair<std::string, std::string>>& blocks) {
    for (const auto& [key, value] : object.items()) {
        const auto name = prefix + harmless(key);
        if (value.is_object()) {
            collect(value, name + ".", look, rows, blocks);
        } else if (is_table(value)) {
            blocks.emplace_back(name, table_of(value, look));
        } else if (value.is_string() && value.get_ref<const std::string&>().contains('\n')) {
            auto text = harmless(value.get_ref<const std::string&>(), "\n\t");
            if (!text.ends_with('\n')) text += '\n';
            blocks.emplace_back(name, std::move(text));
        } else {
            rows.push_back({Cell{name, Style::heading}, cell(key, value)});
        }
    }
}

/// Text of several lines, none of which can be taken for one of ours.
std::string indented(std::string_view text) {
    std::string lines;
    for (const char c : harmless(text.substr(0, text.find_last_not_of('\n') + 1), "\n")) {
        lines += c;
        if (c == '\n') lines += "    ";
    }
    return lines;
}

/// The step in words of the command line: "call port_list" is "berth port list".
std::string as_words(std::string_view step) {
    std::string text;
    while (!step.empty()) {
        const auto end = std::min(step.find_first_not_of(name_characters), step.size());
        const auto* tool = find_tool(step.substr(0, end));
        if (tool != nullptr) {
            if (text.ends_with("call ")) text.erase(text.size() - call_word_bytes);
            if (text.ends_with("and ")) text += "run ";
            text += "berth " + verb_of(*tool).name();
        } else {
            text += step.substr(0, end);
        }
        step.remove_prefix(end);
        const auto name = std::min(step.find_first_of(name_characters), step.size());
        text += step.substr(0, name);
        step.remove_prefix(name);
    }
    return text;
}

/// A step that names a call ends with it, and that is told as the command that makes it.
std::string as_command(const Error& error) {
    const std::string_view hint = error.hint;
    if (!error.next_call || !hint.ends_with(error.next_call->text())) return as_words(hint);
    const auto& call = *error.next_call;
    const auto* tool = find_tool(call.tool);
    const auto arguments = parse_json(call.arguments);
    if (tool == nullptr || !arguments) return as_words(hint);
    auto words = as_words(hint.substr(0, hint.size() - call.text().size()));
    if (words.ends_with("call ")) words.erase(words.size() - call_word_bytes);
    return words + typed(*tool, *arguments);
}

}  // namespace

std::string render(const Json& result, const Look& look) {
    if (!result.is_object()) return text_of(result) + "\n";
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
    collect(shown, "", look, rows, blocks);
    std::string text = align(rows, look);
    const bool titled = !rows.empty() || blocks.size() > 1;
    for (const auto& [title, block] : blocks) {
        if (!text.empty()) text += '\n';
        if (titled) text += painted(title + ":", Style::heading, look) + "\n";
        text += block;
    }
    return text;
}

std::string render(const Error& error, const Look& look) {
    auto text =
        fmt::format("{} {}\n", painted("berth:", Style::bad, look), indented(error.message));
    // The message tells every problem already.
    if (error.problems.empty() && !error.field.empty()) {
        text += fmt::format("  at: {}\n", harmless(error.field));
    }
    for (const auto& problem : error.problems) {
        text += fmt::format("  at: {}\n", harmless(problem.field));
    }
    if (!error.hint.empty()) text += fmt::format("  next: {}\n", indented(as_command(error)));
    return text;
}

}  // namespace berth::cli
