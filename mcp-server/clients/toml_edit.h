// SPDX-License-Identifier: Apache-2.0
// One table into a TOML file and out of it again. The text is changed where the table stands, and
// the parser proves that everything else means what it meant.
#pragma once

#include "tools-schema/contract/json.h"

#include <string>

namespace berth::clients {

/// The file's value. Dates and numbers with a fraction are told as text, good for comparing.
[[nodiscard]] Result<Json> read_toml(const std::string& text);

/// The text with the table [list.name] at its end, made of the members of `entry`: strings and
/// lists of strings. A table of that name is replaced. invalid_argument when the file cannot be
/// understood.
[[nodiscard]] Result<std::string> add_to_toml(const std::string& text, const std::string& list,
                                              const std::string& name, const Json& entry);

/// The text without that table and the tables in it. not_found when there is none, invalid_argument
/// when it is not written as a table of its own.
[[nodiscard]] Result<std::string> remove_from_toml(const std::string& text, const std::string& list,
                                                   const std::string& name);

}  // namespace berth::clients
