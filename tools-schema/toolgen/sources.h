// SPDX-License-Identifier: Apache-2.0
// The declarations as they stand in the files, and the check that keeps them inside the closed
// subset of JSON Schema that the generator understands.
#pragma once

#include "tools-schema/contract/json.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::toolgen {

struct ToolFile {
    std::string path;
    Json json;
};

struct Sources {
    Json errors = Json::array();
    Json types = Json::object();   // the $defs of types.json
    Json common = Json::object();  // common.json: properties by the class of tools that take them
    std::vector<ToolFile> tools;   // by name
};

inline constexpr std::string_view reference_prefix = "types.json#/$defs/";

/// Reads errors.json and, when given, types.json, common.json and the tool files, in this order.
[[nodiscard]] Result<Sources> read_sources(const std::vector<std::string>& files);

/// Everything that is not allowed, one "file: /pointer: why" each; empty when all is well.
[[nodiscard]] std::vector<std::string> check(const Sources& sources);

/// The classes of common.json that a tool belongs to: "mutating", "long", "concise".
[[nodiscard]] std::vector<std::string> classes_of(const Json& tool);

/// Puts the common properties into each tool's inputSchema, behind its own. `sources` must have
/// passed check().
void add_common_properties(Sources& sources);

/// What is wrong with a tool's "concise" member, as (pointer, why).
[[nodiscard]] std::vector<std::pair<std::string, std::string>> check_concise(const Json& tool,
                                                                             const Json& types);

/// The schema that a `$ref` (or a schema without one) stands for, its own keys laid over the named
/// type's.
[[nodiscard]] Json resolved(const Json& schema, const Json& types);

/// The name behind a `$ref`, or "".
[[nodiscard]] std::string reference_name(const Json& schema);

/// A member that is a string, or "".
[[nodiscard]] std::string text_of(const Json& object, std::string_view key);

}  // namespace berth::toolgen
