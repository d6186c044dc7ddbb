// SPDX-License-Identifier: Apache-2.0
#include "host/tools/deprecations.h"

#include "host/warning/kinds.h"

#include <fmt/format.h>

namespace berth::tools {

Deprecations::Deprecations(Invoker& invoker, warning::Warnings& warnings,
                           std::span<const ToolSpec> tools)
    : invoker_(invoker), warnings_(warnings) {
    for (const ToolSpec& tool : tools) {
        const auto schema = parse_json(tool.input_schema);
        if (!schema) continue;
        const Json properties = schema->value("properties", Json::object());
        for (const auto& [name, property] : properties.items()) {
            if (property.value("deprecated", false))
                deprecated_[std::string(tool.name)][name] = property.value("description", "");
        }
    }
}

Result<Json> Deprecations::invoke(std::string_view tool, const Json& arguments, const Call& call) {
    auto answer = invoker_.invoke(tool, arguments, call);
    const auto found = deprecated_.find(tool);
    if (!answer || found == deprecated_.end()) return answer;
    for (const auto& [option, instead] : found->second) {
        if (arguments.contains(option))
            warning::tell_deprecated(warnings_, fmt::format("tool/{}", tool), option, instead);
    }
    return answer;
}

}  // namespace berth::tools
