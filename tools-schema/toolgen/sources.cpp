// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/toolgen/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace berth::toolgen {
namespace {

Result<Json> read_json(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail(ErrorCode::not_found, path + ": : cannot be read");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    auto json = parse_json(text);
    if (!json) return fail(std::move(json).error().in(path + ": "));
    return json;
}

}  // namespace

Result<Sources> read_sources(const std::vector<std::string>& files) {
    Sources sources;
    for (std::size_t i = 0; i < files.size(); ++i) {
        auto json = BERTH_TRY(read_json(files[i]));
        if (i == 0) {
            sources.errors = std::move(json);
        } else if (i == 2) {
            sources.common = std::move(json);
        } else if (i > 2) {
            sources.tools.push_back({.path = files[i], .json = std::move(json)});
        } else if (json.is_object() && json.size() == 1 && json.contains("$defs")) {
            sources.types = std::move(json["$defs"]);
        } else {
            return fail(ErrorCode::invalid_argument,
                        files[i] + ": : must be an object with $defs and nothing else");
        }
    }
    std::ranges::sort(sources.tools, {}, &ToolFile::path);
    return sources;
}

Json resolved(const Json& schema, const Json& types) {
    const auto name = reference_name(schema);
    if (name.empty()) return schema;
    Json whole = types.at(name);
    for (const auto& [key, value] : schema.items()) {
        if (key != "$ref") whole[key] = value;
    }
    return whole;
}

std::string reference_name(const Json& schema) {
    const auto reference = text_of(schema, "$ref");
    return reference.starts_with(reference_prefix) ? reference.substr(reference_prefix.size()) : "";
}

std::string text_of(const Json& object, std::string_view key) {
    if (!object.is_object()) return "";
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace berth::toolgen
