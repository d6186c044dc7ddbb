// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/verbs.h"

#include <algorithm>
#include <cctype>

namespace berth::cli {
namespace {

constexpr std::string_view plain_characters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=@%+,";

/// One word to a shell, whatever is in it.
std::string quoted(const Json& value) {
    const auto text = value.is_string() ? value.get<std::string>() : to_text(value);
    if (!text.empty() && text.find_first_not_of(plain_characters) == std::string::npos) return text;
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

}  // namespace

Verb verb_of(const ToolSpec& tool) {
    // Both texts are ours, checked when they were generated.
    const auto cli = Json::parse(tool.cli);
    const auto schema = Json::parse(tool.input_schema);
    return {.first = cli["verb"][0],
            .second = cli["verb"][1],
            .positional = cli.value("positional", Words{}),
            .from_file = cli.value("from_file", Words{}),
            .read_from = cli.value("read_from", Words{}),
            .write_to = cli.value("write_to", Words{}),
            .required = schema.value("required", Words{}),
            .properties = schema["properties"]};
}

const ToolSpec* find_verb(std::string_view first, std::string_view second) {
    const auto tools = tool_catalogue();
    const auto found = std::ranges::find_if(tools, [=](const ToolSpec& tool) {
        const auto verb = verb_of(tool);
        return verb.first == first && verb.second == second;
    });
    return found == tools.end() ? nullptr : &*found;
}

std::string option_name(const std::string& field, const Json& property) {
    const auto on = property.find("default");
    const bool off = on != property.end() && *on == true;
    std::string name = (off ? "--no-" : "--") + field;
    std::ranges::replace(name, '_', '-');
    return name;
}

std::string typed(const ToolSpec& tool, const Json& arguments) {
    const auto verb = verb_of(tool);
    std::string text = "berth " + verb.name();
    for (const auto& [field, value] : arguments.items()) {
        const bool known = verb.properties.contains(field);
        if (!known || std::ranges::find(verb.positional, field) != verb.positional.end()) continue;
        const auto& property = verb.properties[field];
        if (value.is_boolean()) {
            // A flag says the opposite of its default; what is the default needs no flag.
            if (value != property.value("default", false))
                text += " " + option_name(field, property);
            continue;
        }
        const auto items = value.is_array() ? value : Json::array({value});
        for (const auto& item : items)
            text += " " + option_name(field, property) + " " + quoted(item);
    }
    for (const auto& field : verb.positional) {
        if (!arguments.contains(field)) continue;
        const auto& value = arguments[field];
        if (!value.is_array()) {
            text += " " + quoted(value);
            continue;
        }
        text += " --";
        for (const auto& item : value) text += " " + quoted(item);
    }
    return text;
}

std::string positional_name(std::string field) {
    std::ranges::transform(field, field.begin(), [](unsigned char c) {
        return c == '_' ? '-' : static_cast<char>(std::toupper(c));
    });
    return field;
}

}  // namespace berth::cli
