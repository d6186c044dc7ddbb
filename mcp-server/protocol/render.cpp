// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/render.h"

#include "tools-schema/contract/error_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace berth::mcp {
namespace {

constexpr std::size_t indent_step = 2;
constexpr std::size_t column_gap = 2;

/// A value on one line: strings without quotes, lists of plain values joined by commas.
std::string one_line(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_null()) return "-";
    if (!value.is_array()) return to_text(value);
    const bool plain =
        std::ranges::none_of(value, [](const Json& item) { return item.is_structured(); });
    if (!plain) return to_text(value);
    std::string out;
    for (const Json& item : value) out += (out.empty() ? "" : ", ") + one_line(item);
    return out.empty() ? "none" : out;
}

/// Code points, which is near enough to columns for what berth prints.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (c & '\xC0') != '\x80'; }));
}

std::vector<std::string> columns_of(const Json& rows) {
    std::vector<std::string> columns;
    for (const Json& row : rows) {
        for (const auto& [key, value] : row.items()) {
            if (std::ranges::find(columns, key) == columns.end()) columns.push_back(key);
        }
    }
    return columns;
}

std::string table(const Json& rows, std::size_t indent) {
    const auto columns = columns_of(rows);
    std::vector<std::vector<std::string>> lines{columns};
    for (const Json& row : rows) {
        auto& line = lines.emplace_back();
        for (const auto& column : columns) {
            line.push_back(row.contains(column) ? one_line(row[column]) : "-");
        }
    }
    std::vector<std::size_t> widths(columns.size());
    for (const auto& line : lines) {
        for (std::size_t column = 0; column < columns.size(); ++column) {
            widths[column] = std::max(widths[column], width_of(line[column]));
        }
    }
    std::string out;
    for (const auto& line : lines) {
        out.append(indent, ' ');
        for (std::size_t column = 0; column + 1 < columns.size(); ++column) {
            out += line[column];
            out.append(widths[column] - width_of(line[column]) + column_gap, ' ');
        }
        out += line.back() + '\n';
    }
    return out;
}

std::string members(const Json& object, std::size_t indent) {
    std::string out;
    for (const auto& [key, value] : object.items()) {
        out += std::string(indent, ' ') + key + ":";
        const bool rows =
            value.is_array() && !value.empty() &&
            std::ranges::all_of(value, [](const Json& item) { return item.is_object(); });
        if (rows) {
            out += "\n" + table(value, indent + indent_step);
        } else if (value.is_object() && !value.empty()) {
            out += "\n" + members(value, indent + indent_step);
        } else if (const std::string line = one_line(value); line.find('\n') == std::string::npos) {
            out += " " + line + "\n";
        } else {
            out += "\n" + line + (line.back() == '\n' ? "" : "\n");
        }
    }
    return out;
}

bool is_command_output(const Json& output) {
    return output.contains("stdout") && output["stdout"].is_object() &&
           output["stdout"].contains("text");
}

/// One stream, with a heading when it is not the only one.
std::string stream(const Json& output, const char* name, std::string_view heading) {
    const auto found = output.find(name);
    if (found == output.end() || !found->is_object()) return "";
    std::string text = found->value("text", "");
    if (text.empty()) return "";
    if (text.back() != '\n') text += '\n';
    return std::string(heading) + text;
}

constexpr const char* timed_out = "timed out and was killed; more timeout_seconds give it longer";
/// The kernel's, when a container's memory is full.
constexpr const char* sent_by_nobody =
    "; when nobody sent that, its memory was full: container_update with memory_bytes gives more";

std::string command_output(const Json& output) {
    std::string end = "ended";
    if (output.contains("exit_code")) end = "exit code " + to_text(output["exit_code"]);
    if (output.contains("signal")) end = "ended by " + one_line(output["signal"]);
    if (end == "ended by SIGKILL") end += sent_by_nobody;
    if (output.value("timed_out", false)) end = timed_out;
    std::string text =
        end + "\n" + stream(output, "stdout", "") + stream(output, "stderr", "[stderr]\n");
    text.pop_back();
    return text;
}

std::string bounded(std::string text) {
    if (text.size() <= text_bytes_max) return text;
    std::size_t cut = text_bytes_max;
    while (cut > 0 && (text[cut] & '\xC0') == '\x80') --cut;
    const std::size_t left_out = text.size() - cut;
    text.resize(cut);
    return text + fmt::format("\n… {} more bytes; structuredContent has all of it", left_out);
}

}  // namespace

std::string render(const Json& output) {
    if (!output.is_object()) return bounded(one_line(output));
    if (is_command_output(output)) return bounded(command_output(output));
    std::string text = members(output, 0);
    if (!text.empty()) text.pop_back();
    return bounded(text.empty() ? "done" : std::move(text));
}

std::string render(const Error& error) {
    std::string text = fmt::format("{}: {}", error_info(error.code).name, error.message);
    if (!error.message.contains(error.field)) text += "\nat: " + error.field;
    if (!error.hint.empty()) text += "\nnext: " + error.hint;
    const std::string_view retry = error_info(error.code).retry;
    if (retry == "yes") text += "\nTrying the same call again can help.";
    if (retry == "later") text += "\nThe same call can succeed later.";
    if (retry == "no") text += "\nTrying the same call again will not help.";
    return bounded(std::move(text));
}

}  // namespace berth::mcp
