// SPDX-License-Identifier: Apache-2.0
// The closed subset, rule by rule. A declaration that passes here can be generated from without
// asking again whether a member is there or has the right type.
#include "tools-schema/contract/decode.h"
#include "tools-schema/toolgen/sources.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

namespace berth::toolgen {
namespace {

constexpr std::size_t name_characters_max = 40;

enum class Place { root, named, property, item };

struct Keys {
    std::string_view type;
    std::vector<std::string_view> allowed;
};

const std::vector<Keys>& keys_by_type() {
    static const std::vector<Keys> keys{
        {"object",
         {"type", "description", "properties", "required", "additionalProperties", "x-any"}},
        {"array",
         {"type", "description", "deprecated", "items", "minItems", "maxItems", "x-optional"}},
        {"string",
         {"type", "description", "deprecated", "default", "enum", "const", "minLength", "maxLength",
          "pattern", "x-cpp"}},
        {"integer", {"type", "description", "deprecated", "default", "minimum", "maximum"}},
        {"boolean", {"type", "description", "deprecated", "default"}},
    };
    return keys;
}

/// Words of a-z (and, where said, 0-9 after the first letter) with one `separator` between them.
bool is_words(std::string_view text, char separator, bool digits) {
    bool inside = false;
    for (const char c : text) {
        if (c == separator && inside) {
            inside = false;
        } else if ((c >= 'a' && c <= 'z') || (digits && inside && c >= '0' && c <= '9')) {
            inside = true;
        } else {
            return false;
        }
    }
    return inside;
}

bool is_type_name(std::string_view text) {
    return !text.empty() && text.front() >= 'A' && text.front() <= 'Z' &&
           std::ranges::all_of(text, [](char c) {
               return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
           });
}

bool is_word_list(const Json& value) {
    std::set<std::string> words;
    return value.is_array() && std::ranges::all_of(value, [&words](const Json& word) {
               return word.is_string() && words.insert(word.get<std::string>()).second;
           });
}

bool contains(const Json& list, const std::string& word) {
    return list.is_array() && std::ranges::find(list, Json(word)) != list.end();
}

/// Checks one file and collects what is wrong in it.
class Checker {
public:
    Checker(std::string file, const Json& types, std::vector<std::string>& problems)
        : file_(std::move(file)), types_(types), problems_(problems) {}

    void types();
    void errors(const Json& table);
    void common(const Json& common);
    void tool(const Json& tool, const Sources& sources);

private:
    void refuse(const std::string& at, std::string_view why) {
        problems_.push_back(fmt::format("{}: {}: {}", file_, at, why));
    }
    bool only_keys(const Json& object, const std::string& at,
                   const std::vector<std::string_view>& keys, bool all = false);
    void check_schema(const Json& schema, const std::string& at, Place place);
    void check_reference(const Json& schema, const std::string& at, Place place);
    void check_deprecated(const Json& schema, const std::string& at, Place place);
    void check_numbers(const Json& schema, const std::string& at);
    void check_object(const Json& schema, const std::string& at, Place place);
    void check_array(const Json& schema, const std::string& at, Place place);
    void check_string(const Json& schema, const std::string& at, Place place);
    void check_fallback(const Json& schema, const std::string& at);
    void check_classes(const Json& tool, const Json& common);
    void check_cli(const Json& tool);
    void check_examples(const Json& tool);

    std::string file_;
    const Json& types_;
    std::vector<std::string>& problems_;
    std::set<std::string> types_above_;
    bool in_types_ = false;
};

bool Checker::only_keys(const Json& object, const std::string& at,
                        const std::vector<std::string_view>& keys, bool all) {
    if (!object.is_object()) {
        refuse(at, "must be an object");
        return false;
    }
    bool fine = true;
    for (const auto& [key, value] : object.items()) {
        if (std::ranges::find(keys, key) != keys.end()) continue;
        refuse(pointer_to(at, key),
               fmt::format("is not allowed here; allowed are {}", fmt::join(keys, ", ")));
        fine = false;
    }
    for (const auto key : keys) {
        if (!all || object.contains(key)) continue;
        refuse(pointer_to(at, key), "is missing");
        fine = false;
    }
    return fine;
}

void Checker::check_schema(const Json& schema, const std::string& at, Place place) {
    if (!schema.is_object()) return refuse(at, "must be a schema object");
    if (schema.contains("$ref")) return check_reference(schema, at, place);
    const auto type = text_of(schema, "type");
    const auto& known = keys_by_type();
    const auto keys = std::ranges::find(known, type, &Keys::type);
    if (keys == known.end()) {
        return refuse(pointer_to(at, "type"),
                      "must be one of object, array, string, integer, boolean");
    }
    if (!only_keys(schema, at, keys->allowed)) return;
    check_deprecated(schema, at, place);
    if ((place == Place::property || place == Place::named) &&
        text_of(schema, "description").empty()) {
        refuse(pointer_to(at, "description"), "is missing");
    }
    check_numbers(schema, at);
    if (type == "object") check_object(schema, at, place);
    if (type == "array") check_array(schema, at, place);
    if (type == "string") check_string(schema, at, place);
    if (type != "object" && place == Place::root) refuse(at, "must be of type object");
    if (schema.contains("default")) check_fallback(schema, at);
}

void Checker::check_reference(const Json& schema, const std::string& at, Place place) {
    if (!only_keys(schema, at, {"$ref", "default", "description", "deprecated"})) return;
    check_deprecated(schema, at, place);
    const auto name = reference_name(schema);
    if (name.empty() || !types_.contains(name)) {
        return refuse(pointer_to(at, "$ref"),
                      fmt::format("must be {}NAME with a name of types.json", reference_prefix));
    }
    if (in_types_ && !types_above_.contains(name)) {
        return refuse(pointer_to(at, "$ref"), "may only name a type that stands above");
    }
    if (place == Place::root && text_of(types_.at(name), "type") != "object") {
        refuse(at, "must be of type object");
    }
    if (schema.contains("default")) check_fallback(resolved(schema, types_), at);
}

/// What will go says what to use instead, because that is the next step of whoever is warned.
void Checker::check_deprecated(const Json& schema, const std::string& at, Place place) {
    if (!schema.contains("deprecated")) return;
    const auto here = pointer_to(at, "deprecated");
    if (schema["deprecated"] != true) refuse(here, "is true or left out");
    if (place != Place::property) refuse(here, "is only for properties");
    if (!text_of(schema, "description").starts_with("Use ")) {
        refuse(here, "needs a description that begins with 'Use ' and what to use instead");
    }
}

void Checker::check_numbers(const Json& schema, const std::string& at) {
    for (const auto* key : {"minimum", "maximum"}) {
        if (schema.contains(key) && !schema[key].is_number_integer()) {
            refuse(pointer_to(at, key), "must be an integer");
        }
    }
    for (const auto* key : {"minLength", "maxLength", "minItems", "maxItems"}) {
        if (schema.contains(key) && !schema[key].is_number_unsigned()) {
            refuse(pointer_to(at, key), "must be an integer that is not negative");
        }
    }
}

void Checker::check_object(const Json& schema, const std::string& at, Place place) {
    if (schema.contains("x-any")) {
        // The one object without a schema: what another tool answered.
        if (schema["x-any"] != true) refuse(pointer_to(at, "x-any"), "is true or left out");
        if (place != Place::property) refuse(at, "an object of any kind must be a property");
        (void)only_keys(schema, at, {"type", "description", "x-any"});
        return;
    }
    if (place == Place::property || place == Place::item) {
        return refuse(at, "an object inside an object must be a named type of types.json");
    }
    if (!schema.contains("additionalProperties") || schema["additionalProperties"] != false) {
        refuse(pointer_to(at, "additionalProperties"), "must be false");
    }
    const auto properties_at = pointer_to(at, "properties");
    if (!schema.contains("properties") || !schema["properties"].is_object()) {
        return refuse(properties_at, "must be an object");
    }
    const auto& properties = schema["properties"];
    const Json required = schema.value("required", Json::array());
    if (!is_word_list(required)) {
        return refuse(pointer_to(at, "required"), "must be a list of different names");
    }
    for (std::size_t i = 0; i < required.size(); ++i) {
        const auto name = required[i].get<std::string>();
        const auto here = pointer_to(pointer_to(at, "required"), i);
        if (!properties.contains(name)) {
            refuse(here, "names no property");
        } else if (properties[name].is_object() && properties[name].contains("default")) {
            refuse(here, "names a property that has a default");
        }
    }
    for (const auto& [name, property] : properties.items()) {
        const auto here = pointer_to(properties_at, name);
        if (!is_words(name, '_', true)) refuse(here, "must be named in lower_snake_case");
        check_schema(property, here, Place::property);
    }
}

void Checker::check_array(const Json& schema, const std::string& at, Place place) {
    if (place != Place::property) return refuse(at, "an array must be a property of an object");
    if (!schema.contains("maxItems")) refuse(pointer_to(at, "maxItems"), "is missing");
    if (!schema.contains("items")) return refuse(pointer_to(at, "items"), "is missing");
    if (schema.value("x-optional", Json(true)) != true)
        refuse(pointer_to(at, "x-optional"), "is true or left out");
    check_schema(schema["items"], pointer_to(at, "items"), Place::item);
}

void Checker::check_string(const Json& schema, const std::string& at, Place place) {
    for (const auto* key : {"pattern", "x-cpp"}) {
        if (!schema.contains(key)) continue;
        if (place != Place::named || !schema.contains("x-cpp")) {
            refuse(pointer_to(at, key), "is only for named types with an x-cpp class");
        } else if (!schema[key].is_string()) {
            refuse(pointer_to(at, key), "must be a string");
        }
    }
    if (schema.contains("enum") && (!is_word_list(schema["enum"]) || schema["enum"].empty())) {
        refuse(pointer_to(at, "enum"), "must be a list of different strings");
    }
    if (schema.contains("const") && (!schema["const"].is_string() || schema.contains("enum"))) {
        refuse(pointer_to(at, "const"), "must be a string, and stands instead of an enum");
    }
}

void Checker::check_fallback(const Json& schema, const std::string& at) {
    const auto& value = schema["default"];
    const auto type = text_of(schema, "type");
    bool fits = type == "boolean" && value.is_boolean();
    if (type == "string") {
        fits = value.is_string() &&
               (!schema.contains("enum") || contains(schema["enum"], value.get<std::string>()));
    }
    if (type == "integer" && value.is_number_integer()) {
        fits = (!schema.contains("minimum") || value >= schema["minimum"]) &&
               (!schema.contains("maximum") || value <= schema["maximum"]);
    }
    if (!fits) refuse(pointer_to(at, "default"), "is not a value that the schema allows");
}

void Checker::types() {
    in_types_ = true;
    if (!types_.is_object()) return refuse("/$defs", "must be an object");
    for (const auto& [name, type] : types_.items()) {
        const auto here = pointer_to("/$defs", name);
        if (!is_type_name(name)) refuse(here, "must be named in PascalCase");
        check_schema(type, here, Place::named);
        types_above_.insert(name);
    }
}

void Checker::errors(const Json& table) {
    if (!table.is_array()) return refuse("", "must be an array");
    std::set<std::string> codes;
    for (std::size_t i = 0; i < table.size(); ++i) {
        const auto here = pointer_to("", i);
        const auto& row = table[i];
        if (!only_keys(row, here, {"code", "jsonrpc", "http", "exit", "retry", "meaning"}, true)) {
            continue;
        }
        for (const auto* key : {"code", "retry", "meaning"}) {
            if (!row[key].is_string()) refuse(pointer_to(here, key), "must be a string");
        }
        for (const auto* key : {"jsonrpc", "http", "exit"}) {
            if (!row[key].is_number_integer()) refuse(pointer_to(here, key), "must be an integer");
        }
        if (!is_words(text_of(row, "code"), '_', false) ||
            !codes.insert(text_of(row, "code")).second) {
            refuse(pointer_to(here, "code"), "must be a name of its own in lower_snake_case");
        }
    }
}

/// Every class is there, and its properties are ones that nobody has to give.
void Checker::common(const Json& common) {
    const std::vector<std::string_view> classes{"mutating", "long", "concise"};
    if (!only_keys(common, "", classes, true)) return;
    for (const auto name : classes) {
        const auto here = pointer_to("", name);
        if (!common[name].is_object()) {
            refuse(here, "must be an object");
            continue;
        }
        for (const auto& [key, property] : common[name].items()) {
            if (!is_words(key, '_', true)) {
                refuse(pointer_to(here, key), "must be named in lower_snake_case");
            }
            check_schema(property, pointer_to(here, key), Place::property);
        }
    }
}

void Checker::check_classes(const Json& tool, const Json& common) {
    if (tool.contains("long") && tool["long"] != true) refuse("/long", "is true or left out");
    if (tool.contains("default") && tool["default"] != false) {
        refuse("/default", "is false or left out");
    }
    if (tool.contains("long") && tool["annotations"]["readOnlyHint"] == true) {
        refuse("/long", "is only for tools that change things");
    }
    for (const auto& [at, why] : check_concise(tool, types_)) refuse(at, why);
    const Json properties = tool["inputSchema"].value("properties", Json::object());
    for (const auto& name : classes_of(tool)) {
        for (const auto& [key, property] : common[name].items()) {
            if (!properties.contains(key)) continue;
            refuse(pointer_to("/inputSchema/properties", key), "is a property of common.json");
        }
    }
}

void Checker::tool(const Json& tool, const Sources& sources) {
    Json always = tool;
    for (const auto* key : {"long", "concise", "default"}) {
        if (always.is_object()) always.erase(key);
    }
    if (!only_keys(always, "",
                   {"name", "title", "description", "annotations", "toolset", "scope", "cli",
                    "errors", "inputSchema", "outputSchema", "examples"},
                   true)) {
        return;
    }
    const auto name = text_of(tool, "name");
    if (!is_words(name, '_', false) || !name.contains('_') || name.size() > name_characters_max) {
        refuse("/name", fmt::format("must match ^[a-z]+(_[a-z]+)+$ and have at most {} characters",
                                    name_characters_max));
    }
    if (std::filesystem::path(file_).stem() != name) refuse("/name", "must be the file's name");
    for (const auto* key : {"title", "description", "toolset", "scope"}) {
        if (text_of(tool, key).empty()) refuse(pointer_to("", key), "must be a text");
    }
    const std::vector<std::string_view> hints{"readOnlyHint", "destructiveHint", "idempotentHint",
                                              "openWorldHint"};
    if (only_keys(tool["annotations"], "/annotations", hints, true)) {
        for (const auto hint : hints) {
            if (!tool["annotations"][hint].is_boolean()) {
                refuse(pointer_to("/annotations", hint), "must be true or false");
            }
        }
    }
    if (!is_word_list(tool["errors"])) return refuse("/errors", "must be a list of codes");
    for (std::size_t i = 0; i < tool["errors"].size(); ++i) {
        const auto code = tool["errors"][i].get<std::string>();
        const bool known = std::ranges::any_of(
            sources.errors, [&code](const Json& row) { return text_of(row, "code") == code; });
        if (!known) refuse(pointer_to("/errors", i), "is not a code of errors.json");
    }
    check_schema(tool["inputSchema"], "/inputSchema", Place::root);
    check_schema(tool["outputSchema"], "/outputSchema", Place::root);
    if (tool["inputSchema"].is_object() && tool["inputSchema"].contains("$ref")) {
        return refuse("/inputSchema", "must be written out in the tool's own file");
    }
    check_cli(tool);
    check_examples(tool);
    if (problems_.empty()) check_classes(tool, sources.common);
}

void Checker::check_cli(const Json& tool) {
    const auto& cli = tool["cli"];
    if (!only_keys(cli, "/cli", {"verb", "positional", "from_file", "read_from", "write_to"}))
        return;
    const Json verb = cli.value("verb", Json());
    if (!is_word_list(verb) || verb.size() != 2 ||
        !is_words(verb[0].get<std::string>(), '-', false) ||
        !is_words(verb[1].get<std::string>(), '-', false)) {
        refuse("/cli/verb", "must be two words of a-z and '-'");
    }
    const Json properties = tool["inputSchema"].value("properties", Json::object());
    for (const auto* key : {"positional", "from_file", "read_from", "write_to"}) {
        const Json names = cli.value(key, Json::array());
        const auto here = pointer_to("/cli", key);
        if (!is_word_list(names)) {
            refuse(here, "must be a list of different names");
            continue;
        }
        for (std::size_t i = 0; i < names.size(); ++i) {
            const auto name = names[i].get<std::string>();
            if (!properties.contains(name)) {
                refuse(pointer_to(here, i), "names no property of inputSchema");
            } else if (std::string_view(key) == "positional" && i + 1 < names.size() &&
                       text_of(properties[name], "type") == "array") {
                refuse(pointer_to(here, i), "only the last positional may be an array");
            }
        }
    }
}

void Checker::check_examples(const Json& tool) {
    const auto& examples = tool["examples"];
    if (!examples.is_array()) return refuse("/examples", "must be an array");
    for (std::size_t i = 0; i < examples.size(); ++i) {
        const auto here = pointer_to("/examples", i);
        const auto& example = examples[i];
        if (!only_keys(example, here, {"says", "arguments", "result", "error", "field"})) continue;
        if (text_of(example, "says").empty()) refuse(pointer_to(here, "says"), "must be a text");
        if (!example.contains("arguments") || !example["arguments"].is_object()) {
            refuse(pointer_to(here, "arguments"), "must be an object");
        }
        if (example.contains("result") == example.contains("error")) {
            refuse(here, "must have a result or an error, and not both");
        }
        const auto error = text_of(example, "error");
        if (example.contains("error") && error != "invalid_argument" &&
            !contains(tool["errors"], error)) {
            refuse(pointer_to(here, "error"), "is not among the tool's declared errors");
        }
    }
}

}  // namespace

std::vector<std::string> check(const Sources& sources) {
    std::vector<std::string> problems;
    Checker("errors.json", sources.types, problems).errors(sources.errors);
    Checker("types.json", sources.types, problems).types();
    if (!sources.tools.empty()) {
        Checker("common.json", sources.types, problems).common(sources.common);
    }
    for (const auto& [path, tool] : sources.tools) {
        Checker(path, sources.types, problems).tool(tool, sources);
    }
    return problems;
}

}  // namespace berth::toolgen
