// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/verbs.h"

#include <algorithm>
#include <cctype>

namespace berth::cli {

Verb verb_of(const ToolSpec& tool) {
    using Words = std::vector<std::string>;
    // Both texts are ours, checked when they were generated.
    const auto cli = Json::parse(tool.cli);
    const auto schema = Json::parse(tool.input_schema);
    return {.first = cli["verb"][0],
            .second = cli["verb"][1],
            .positional = cli.value("positional", Words{}),
            .from_file = cli.value("from_file", Words{}),
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

std::string positional_name(std::string field) {
    std::ranges::transform(field, field.begin(), [](unsigned char c) {
        return c == '_' ? '-' : static_cast<char>(std::toupper(c));
    });
    return field;
}

}  // namespace berth::cli
