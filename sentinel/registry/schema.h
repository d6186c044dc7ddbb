// SPDX-License-Identifier: Apache-2.0
// The sentinel's own database: who may, who owns which name, and what was registered last.
#pragma once

#include "base/sqlite.h"

#include <filesystem>
#include <memory>

namespace berth::sentinel {

/// As store::Sqlite::open(), with the sentinel's schema.
[[nodiscard]] Result<std::unique_ptr<store::Sqlite>> open_registry(
    const std::filesystem::path& path);

/// ["a","b"] as a column, and back; what is no such list is an empty one.
[[nodiscard]] std::string to_column(const std::vector<std::string>& texts);
[[nodiscard]] std::vector<std::string> from_column(const store::Value& value);

}  // namespace berth::sentinel
