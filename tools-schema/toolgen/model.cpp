// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/toolgen/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace berth::toolgen {
namespace {

std::vector<std::string> words_of(const Json& schema) {
    if (schema.contains("const")) return {schema["const"].get<std::string>()};
    return schema.value("enum", std::vector<std::string>{});
}

/// "{.minimum = 1, .maximum = 65535}"; the class of a named type checks its own bounds.
std::string bounds_of(const Json& schema) {
    constexpr std::array<std::array<std::string_view, 2>, 6> names{{{"minimum", "minimum"},
                                                                    {"maximum", "maximum"},
                                                                    {"minLength", "length_min"},
                                                                    {"minItems", "length_min"},
                                                                    {"maxLength", "length_max"},
                                                                    {"maxItems", "length_max"}}};
    if (schema.contains("x-cpp")) return "";
    std::string text;
    for (const auto& [key, member] : names) {
        if (!schema.contains(key)) continue;
        text += fmt::format("{}.{} = {}", text.empty() ? "" : ", ", member, to_text(schema[key]));
    }
    return text.empty() ? "" : "{" + text + "}";
}

class Builder {
public:
    explicit Builder(const Sources& sources) : sources_(sources) {}

    Model build();

private:
    Struct make_struct(std::string name, const Json& schema) const;
    std::string item_type(const std::string& field, const Json& schema, Struct& owner) const;

    const Sources& sources_;
    Model model_;
};

/// The C++ type of one value. An enumeration that no named type has becomes one of the owner's.
std::string Builder::item_type(const std::string& field, const Json& schema, Struct& owner) const {
    const auto whole = resolved(schema, sources_.types);
    const auto type = text_of(whole, "type");
    if (whole.contains("x-cpp")) return text_of(whole, "x-cpp");
    if (type == "integer") return "std::int64_t";
    if (type == "boolean") return "bool";
    if (whole.contains("x-any")) return "Json";
    if (type == "object") return reference_name(schema);
    const auto words = words_of(whole);
    if (words.empty()) return "std::string";
    const auto named = std::ranges::find(model_.enums, words, &Enum::words);
    if (named != model_.enums.end()) return named->name;
    owner.enums.push_back(
        {.name = pascal_case(field), .words = words, .description = text_of(whole, "description")});
    return owner.enums.back().name;
}

std::string fallback_of(const std::string& type, const Json& schema) {
    if (!schema.contains("default")) return "";
    const auto& value = schema["default"];
    if (!value.is_string()) return to_text(value);
    const auto text = value.get<std::string>();
    if (schema.contains("enum")) return fmt::format("{}::{}", type, enumerator(text));
    const auto literal = to_text(value);
    return schema.contains("x-cpp") ? fmt::format("{}::parse({}).value()", type, literal) : literal;
}

Struct Builder::make_struct(std::string name, const Json& schema) const {
    Struct made{.name = std::move(name), .description = text_of(schema, "description")};
    const auto required = schema.value("required", std::vector<std::string>{});
    for (const auto& [key, property] : schema["properties"].items()) {
        const auto whole = resolved(property, sources_.types);
        Field field{.name = key, .description = text_of(whole, "description")};
        field.list = text_of(whole, "type") == "array";
        field.optional = whole.contains("x-optional");
        const Json& item = field.list ? whole["items"] : property;
        field.type = item_type(key, item, made);
        field.required = std::ranges::find(required, key) != required.end();
        field.fallback = fallback_of(field.type, whole);
        field.bounds = bounds_of(whole);
        if (field.list) field.item_bounds = bounds_of(resolved(item, sources_.types));
        made.fields.push_back(std::move(field));
    }
    return made;
}

Model Builder::build() {
    for (const auto& [name, type] : sources_.types.items()) {
        if (const auto words = words_of(type); !words.empty()) {
            model_.enums.push_back(
                {.name = name, .words = words, .description = text_of(type, "description")});
        } else if (text_of(type, "type") == "object") {
            model_.structs.push_back(make_struct(name, type));
        }
    }
    for (const auto& [path, json] : sources_.tools) {
        const auto name = text_of(json, "name");
        Tool tool{.name = name,
                  .type = pascal_case(name),
                  .title = text_of(json, "title"),
                  .read_only = json["annotations"]["readOnlyHint"].get<bool>(),
                  .input = make_struct("Input", json["inputSchema"]),
                  .output_type = reference_name(json["outputSchema"]),
                  .output = {},
                  .json = &json};
        if (tool.output_type.empty()) tool.output = make_struct("Output", json["outputSchema"]);
        model_.tools.push_back(std::move(tool));
    }
    return std::move(model_);
}

}  // namespace

Model make_model(const Sources& sources) {
    return Builder(sources).build();
}

std::string pascal_case(const std::string& snake) {
    std::string text;
    bool first = true;
    for (const char c : snake) {
        if (c != '_') text += first ? static_cast<char>(std::toupper(c)) : c;
        first = c == '_';
    }
    return text;
}

std::string enumerator(const std::string& word) {
    const bool taken = word.empty() || std::isdigit(word.front()) != 0 || word == "new" ||
                       word == "delete" || word == "static";
    std::string text = taken ? "e_" : "";
    for (const char c : word) text += std::isalnum(c) != 0 ? c : '_';
    return text;
}

}  // namespace berth::toolgen
