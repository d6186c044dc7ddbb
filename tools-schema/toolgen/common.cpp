// SPDX-License-Identifier: Apache-2.0
// What whole classes of tools have in common: their properties, and the short form of an answer.
#include "tools-schema/contract/decode.h"
#include "tools-schema/toolgen/sources.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::toolgen {
namespace {

using Wrong = std::vector<std::pair<std::string, std::string>>;

/// The schema of an object, or of a list's items when there is a list in its place.
Json object_at(const Json& schema, const Json& types) {
    const auto whole = resolved(schema, types);
    return text_of(whole, "type") == "array" ? resolved(whole["items"], types) : whole;
}

/// The object that `pointer` leads to through objects and lists of them; null when there is none.
Json object_behind(const Json& output, const std::string& pointer, const Json& types) {
    Json schema = object_at(output, types);
    for (std::size_t at = 0; at < pointer.size();) {
        const auto end = std::min(pointer.find('/', at + 1), pointer.size());
        const auto name = pointer.substr(at + 1, end - at - 1);  // a word: nothing is escaped
        if (!schema.contains("properties") || !schema["properties"].contains(name)) return nullptr;
        schema = object_at(Json(schema["properties"][name]), types);
        at = end;
    }
    return schema.contains("properties") ? schema : Json();
}

void check_members(const std::string& at, const Json& kept, const Json& schema, Wrong& wrong) {
    if (!kept.is_array() || kept.empty()) {
        wrong.emplace_back(at, "must be a list of names");
        return;
    }
    for (std::size_t i = 0; i < kept.size(); ++i) {
        const auto here = pointer_to(at, i);
        if (!kept[i].is_string()) {
            wrong.emplace_back(here, "must be a name");
        } else if (!schema["properties"].contains(kept[i].get<std::string>())) {
            wrong.emplace_back(here, "names no member of the output");
        }
    }
}

}  // namespace

std::vector<std::string> classes_of(const Json& tool) {
    std::vector<std::string> classes;
    if (tool["annotations"]["readOnlyHint"] == false) classes.emplace_back("mutating");
    if (tool.contains("long")) classes.emplace_back("long");
    if (tool.contains("concise")) classes.emplace_back("concise");
    return classes;
}

void add_common_properties(Sources& sources) {
    for (auto& [path, tool] : sources.tools) {
        for (const auto& name : classes_of(tool)) {
            tool["inputSchema"]["properties"].update(sources.common[name]);
        }
    }
}

Wrong check_concise(const Json& tool, const Json& types) {
    Wrong wrong;
    if (!tool.contains("concise")) return wrong;
    const auto& concise = tool["concise"];
    if (!concise.is_object() || concise.empty()) {
        wrong.emplace_back("/concise", "must be an object of JSON Pointers and lists of names");
        return wrong;
    }
    for (const auto& [pointer, kept] : concise.items()) {
        const auto at = pointer_to("/concise", pointer);
        if (!pointer.empty() && !pointer.starts_with('/')) {
            wrong.emplace_back(at, "must be a JSON Pointer");
            continue;
        }
        const auto schema = object_behind(tool["outputSchema"], pointer, types);
        if (schema.is_null()) {
            wrong.emplace_back(at, "leads to no object of the output");
        } else {
            check_members(at, kept, schema, wrong);
        }
    }
    return wrong;
}

}  // namespace berth::toolgen
