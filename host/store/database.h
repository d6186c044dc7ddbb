// SPDX-License-Identifier: Apache-2.0
// The host's database of desired state.
#pragma once

#include "base/sqlite.h"
#include "tools-schema/contract/result.h"

#include <filesystem>
#include <memory>

namespace berth::store {

class Database final : public Sqlite {
public:
    /// As Sqlite::open(), with the host's schema.
    [[nodiscard]] static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path);
};

}  // namespace berth::store
