// SPDX-License-Identifier: Apache-2.0
// Model and declarations in, texts out. No emitter touches a file.
#pragma once

#include "tools-schema/toolgen/model.h"

#include <string>

namespace berth::toolgen {

[[nodiscard]] std::string types_header(const Model& model);
[[nodiscard]] std::string types_source(const Model& model);
[[nodiscard]] std::string tool_header(const Tool& tool);
[[nodiscard]] std::string tool_source(const Tool& tool);
[[nodiscard]] std::string all_tools_header(const Model& model);

[[nodiscard]] std::string catalogue_source(const Sources& sources);
[[nodiscard]] std::string error_table_source(const Json& errors);

[[nodiscard]] std::string tools_page(const Sources& sources);
[[nodiscard]] std::string errors_page(const Json& errors);

}  // namespace berth::toolgen
