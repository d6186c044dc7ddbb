// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/clients/toml_edit.h"

#include "mcp-server/clients/jsonc.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>
#include <vector>

namespace berth::clients {
namespace {

Json to_json(const toml::node& node) {
    if (const auto* table = node.as_table()) {
        Json object = Json::object();
        for (const auto& [key, value] : *table) object[std::string(key.str())] = to_json(value);
        return object;
    }
    if (const auto* array = node.as_array()) {
        Json list = Json::array();
        for (const auto& value : *array) list.push_back(to_json(value));
        return list;
    }
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return number->get();
    if (const auto* truth = node.as_boolean()) return truth->get();
    std::ostringstream text;
    if (const auto* fraction = node.as_floating_point()) text << *fraction;
    if (const auto* date = node.as_date()) text << *date;
    if (const auto* time = node.as_time()) text << *time;
    if (const auto* moment = node.as_date_time()) text << *moment;
    return Json{{"text", text.str()}};
}

/// A line with its end, where it stands.
struct Line {
    std::size_t begin = 0;
    std::string_view text = {};  // without the blanks around it
    std::size_t end = 0;         // behind the line's end
};

std::vector<Line> lines_of(std::string_view text) {
    std::vector<Line> lines;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size() - 1) + 1;
        auto line = text.substr(at, end - at);
        line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
        line = line.substr(0, line.find_last_not_of(blanks) + 1);
        lines.push_back({.begin = at, .text = line, .end = end});
        at = end;
    }
    return lines;
}

/// One part of a header, without blanks and quotes; moves behind it and its dot.
std::string_view take_part(std::string_view& rest) {
    auto part = rest.substr(0, rest.find_first_of(".]"));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    const auto begin = std::min(part.find_first_not_of(" \t\"'"), part.size());
    part.remove_prefix(begin);
    return part.substr(0, part.find_last_not_of(" \t\"'") + 1);
}

/// Whether the line begins the table [list.name] or one in it.
bool is_header_of(std::string_view line, std::string_view list, std::string_view name) {
    if (!line.starts_with('[') || line.starts_with("[[")) return false;
    line.remove_prefix(1);
    return take_part(line) == list && take_part(line) == name;
}

/// The entry, or null.
Json entry_in(const Json& value, const std::string& list, const std::string& name) {
    const auto servers = value.find(list);
    if (servers == value.end() || !servers->is_object()) return nullptr;
    return servers->value(name, Json());
}

/// Without that entry, and without a list that has no other.
Json without(Json value, const std::string& list, const std::string& name) {
    if (!value.contains(list) || !value[list].is_object()) return value;
    value[list].erase(name);
    if (value[list].empty()) value.erase(list);
    return value;
}

std::string table_text(const std::string& list, const std::string& name, const Json& entry,
                       std::string_view eol) {
    auto text = fmt::format("[{}.{}]{}", list, name, eol);
    // JSON's strings and lists of strings are TOML's too.
    for (const auto& [key, value] : entry.items()) {
        text += fmt::format("{} = {}{}", key, value.dump(), eol);
    }
    return text;
}

/// Removes the lines of one header, up to the last that is neither blank nor a comment: those
/// belong to what follows.
void erase_block(std::string& text, const std::vector<Line>& lines, std::size_t first) {
    auto last = first;
    for (auto at = first + 1; at < lines.size() && !lines[at].text.starts_with('['); ++at) {
        if (!lines[at].text.empty() && !lines[at].text.starts_with('#')) last = at;
    }
    auto begin = lines[first].begin;
    if (first > 0 && lines[first - 1].text.empty()) begin = lines[first - 1].begin;
    text.erase(begin, lines[last].end - begin);
}

}  // namespace

Result<Json> read_toml(const std::string& text) {
    try {
        return to_json(toml::parse(text));
    } catch (const toml::parse_error& problem) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("line {}: {}", problem.source().begin.line,
                                std::string(problem.description())));
    }
}

Result<std::string> add_to_toml(const std::string& text, const std::string& list,
                                const std::string& name, const Json& entry) {
    const auto before = BERTH_TRY(read_toml(text));
    const bool there = !entry_in(before, list, name).is_null();
    auto changed = there ? BERTH_TRY(remove_from_toml(text, list, name)) : text;
    const std::string eol = changed.contains("\r\n") ? "\r\n" : "\n";
    if (!changed.empty() && !changed.ends_with('\n')) changed += eol;
    if (changed.find_first_not_of(blanks) != std::string::npos) changed += eol;
    changed += table_text(list, name, entry, eol);

    const auto after = read_toml(changed);
    if (!after || !same(entry_in(*after, list, name), entry) ||
        without(*after, list, name) != without(before, list, name)) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("its form leaves no safe place for [{}.{}]", list, name));
    }
    return changed;
}

Result<std::string> remove_from_toml(const std::string& text, const std::string& list,
                                     const std::string& name) {
    const auto before = BERTH_TRY(read_toml(text));
    if (entry_in(before, list, name).is_null()) {
        return fail(ErrorCode::not_found, fmt::format("there is no entry '{}'", name));
    }
    auto changed = text;
    const auto lines = lines_of(text);
    for (auto at = lines.size(); at-- > 0;) {
        if (is_header_of(lines[at].text, list, name)) erase_block(changed, lines, at);
    }
    const auto after = read_toml(changed);
    if (!after || !entry_in(*after, list, name).is_null() ||
        without(*after, list, name) != without(before, list, name)) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("[{}.{}] is not written as a table of its own", list, name));
    }
    return changed;
}

}  // namespace berth::clients
