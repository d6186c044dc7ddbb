// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/clients/json_edit.h"

#include "mcp-server/clients/jsonc.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::clients {
namespace {

constexpr std::string_view indent_default = "  ";

std::string eol_of(std::string_view text) {
    const auto first = text.find('\n');
    return first != std::string_view::npos && first > 0 && text[first - 1] == '\r' ? "\r\n" : "\n";
}

/// The blanks that the line of `at` begins with.
std::string_view line_indent(std::string_view text, std::size_t at) {
    const auto newline = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
    const auto begin = newline == std::string_view::npos ? 0 : newline + 1;
    const auto end = std::min(text.find_first_not_of(" \t", begin), at);
    return text.substr(begin, end - begin);
}

bool first_on_its_line(std::string_view text, std::size_t at) {
    const auto indent = line_indent(text, at);
    return indent.data() + indent.size() == text.data() + at && text.substr(0, at).contains('\n');
}

/// The end of what stands in front of `at`, which may be a comment.
std::size_t before_blanks(std::string_view text, std::size_t at) {
    return text.substr(0, at).find_last_not_of(blanks) + 1;
}

/// How the file is written.
struct Style {
    std::string eol;
    std::string unit;       // one step of indentation
    bool one_line = false;  // all of it
    bool flat = false;      // this object, in a file of several lines
};

Style style_of(const Jsonc& file) {
    const std::string_view text = file.text();
    Style style{.eol = eol_of(text), .unit = std::string(indent_default)};
    if (!file.root() || file.root()->members.empty()) return style;
    const auto first = file.root()->members.front().key_begin;
    if (first_on_its_line(text, first)) {
        const auto indent = line_indent(text, first);
        if (!indent.empty()) style.unit = indent;
    } else {
        style.one_line =
            !text.substr(file.root()->open, file.root()->close - file.root()->open).contains('\n');
    }
    return style;
}

/// On one line, as people write it.
std::string flat_text(const Json& value) {
    if (!value.is_structured() || value.empty()) return value.dump();
    std::string text;
    for (const auto& [key, item] : value.items()) {
        if (!text.empty()) text += ", ";
        if (value.is_object()) text += Json(key).dump() + ": ";
        text += flat_text(item);
    }
    return value.is_object() ? "{ " + text + " }" : "[" + text + "]";
}

/// A value as it is written behind its key, in an object whose members are indented by `indent`.
std::string written(const Json& value, const Style& style, std::string_view indent) {
    if (style.one_line) return value.dump();
    if (style.flat) return flat_text(value);
    const bool tabs = style.unit.front() == '\t';
    const auto pretty = value.dump(static_cast<int>(style.unit.size()), tabs ? '\t' : ' ');
    std::string text;
    for (const char c : pretty) {
        if (c == '\n') {
            text += style.eol;
            text += indent;
        } else {
            text += c;
        }
    }
    return text;
}

std::string member_text(const std::string& key, const Json& value, const Style& style,
                        std::string_view indent) {
    return Json(key).dump() + (style.one_line ? ":" : ": ") + written(value, style, indent);
}

std::string with_first_member(const Jsonc& file, const Object& object, const std::string& key,
                              const Json& value, const Style& style) {
    auto text = file.text();
    const auto at = before_blanks(text, object.close);
    if (style.one_line) return text.insert(at, member_text(key, value, style, ""));
    const std::string outer(line_indent(text, object.open));
    const auto inner = outer + style.unit;
    auto added = style.eol + inner + member_text(key, value, style, inner);
    const bool own_line = std::string_view(text).substr(at, object.close - at).contains('\n');
    if (!own_line) added += style.eol + outer;
    return text.insert(at, added);
}

std::string with_last_member(const Jsonc& file, const Object& object, const std::string& key,
                             const Json& value, const Style& style) {
    auto text = file.text();
    const auto& last = object.members.back();
    const std::string ending = last.comma ? "," : "";
    const bool own_line = first_on_its_line(text, last.key_begin);
    if (style.one_line || !own_line) {
        auto beside = style;
        beside.flat = true;
        const auto at = last.comma ? *last.comma + 1 : last.value_end;
        auto added = (last.comma ? "" : ",") + std::string(style.one_line ? "" : " ");
        return text.insert(at, added + member_text(key, value, beside, "") + ending);
    }
    const std::string indent(line_indent(text, last.key_begin));
    text.insert(before_blanks(text, object.close),
                style.eol + indent + member_text(key, value, style, indent) + ending);
    return last.comma ? text : text.insert(last.value_end, ",");
}

std::string with_member(const Jsonc& file, const Object& object, const std::string& key,
                        const Json& value, const Style& style) {
    return object.members.empty() ? with_first_member(file, object, key, value, style)
                                  : with_last_member(file, object, key, value, style);
}

/// Whether the rest of the line behind `at` says nothing.
bool line_ends(std::string_view text, std::size_t at) {
    const auto next = text.find_first_not_of(" \t\r", at);
    return next == std::string_view::npos || text[next] == '\n';
}

std::string without_member(const Jsonc& file, const Object& object, const Member& member) {
    auto text = file.text();
    const auto index = static_cast<std::size_t>(&member - object.members.data());
    const bool last = index + 1 == object.members.size();
    const bool own_line = first_on_its_line(text, member.key_begin);
    const auto end = member.comma ? *member.comma + 1 : member.value_end;
    // What is behind it on its line must not get behind a comment that ends with the line before.
    const bool with_blanks = own_line ? line_ends(text, end) : last;
    const auto begin = with_blanks ? before_blanks(text, member.key_begin) : member.key_begin;
    text.erase(begin, end - begin);
    if (!member.comma && index > 0) text.erase(*object.members[index - 1].comma, 1);
    if (object.members.size() > 1) return text;
    const auto close = text.find_first_not_of(blanks, object.open + 1);
    if (close != std::string::npos && text[close] == '}') {
        text.erase(object.open + 1, close - object.open - 1);
    }
    return text;
}

Error not_understood(const std::string& why) {
    return make_error(ErrorCode::invalid_argument, why);
}

/// The proof of an edit: the new text means what it should.
Result<std::string> proven(std::string text, const Json& wanted) {
    const auto file = Jsonc::read(text);
    if (file && file->value() == wanted) return text;
    return fail(not_understood("its form leaves no safe place for a change"));
}

/// A file that has no value yet: what there is of it stays in front.
std::string with_root(const Jsonc& file, const Json& root) {
    const auto& text = file.text();
    const auto eol = eol_of(text);
    const bool fresh_line = before_blanks(text, text.size()) == 0 || text.ends_with('\n');
    return text + (fresh_line ? "" : eol) +
           written(root, {.eol = eol, .unit = std::string(indent_default)}, "") + eol;
}

}  // namespace

Result<std::string> add_to_json(const std::string& text, const std::string& list,
                                const std::string& name, const Json& entry) {
    const auto file = BERTH_TRY(Jsonc::read(text));
    auto wanted = file.value();
    if (!wanted.contains(list)) wanted[list] = Json::object();
    if (!wanted[list].is_object()) {
        return fail(not_understood(fmt::format("its member \"{}\" is no object", list)));
    }
    wanted[list][name] = entry;
    if (!file.root()) return proven(with_root(file, wanted), wanted);

    const auto style = style_of(file);
    const auto* servers = file.root()->find(list);
    if (servers == nullptr) {
        return proven(with_member(file, *file.root(), list, {{name, entry}}, style), wanted);
    }
    const auto object = file.object_at(servers->value_begin);
    const auto* old = object.find(name);
    if (old == nullptr) return proven(with_member(file, object, name, entry, style), wanted);
    const std::string indent(line_indent(text, old->key_begin));
    auto changed = text;
    changed.replace(old->value_begin, old->value_end - old->value_begin,
                    written(entry, style, indent));
    return proven(std::move(changed), wanted);
}

Result<std::string> remove_from_json(const std::string& text, const std::string& list,
                                     const std::string& name, bool list_too) {
    const auto file = BERTH_TRY(Jsonc::read(text));
    const auto* servers = file.root() ? file.root()->find(list) : nullptr;
    if (servers == nullptr || !file.value()[list].is_object() ||
        !file.value()[list].contains(name)) {
        return fail(ErrorCode::not_found, fmt::format("there is no entry '{}'", name));
    }
    auto wanted = file.value();
    wanted[list].erase(name);
    if (list_too && wanted[list].empty()) {
        wanted.erase(list);
        return proven(without_member(file, *file.root(), *servers), wanted);
    }
    const auto object = file.object_at(servers->value_begin);
    return proven(without_member(file, object, *object.find(name)), wanted);
}

}  // namespace berth::clients
