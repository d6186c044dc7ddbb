// SPDX-License-Identifier: Apache-2.0
// The SQLite database of desired state: one connection, opened in WAL mode with full durability, so
// that what was acknowledged survives kill -9 and power loss. Border file of <sqlite3.h>.
#pragma once

#include "tools-schema/contract/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

struct sqlite3;

namespace berth::store {

using Value = std::variant<std::nullptr_t, std::int64_t, std::string>;
using Row = std::vector<Value>;

class Database {
public:
    /// Opens or creates the file (mode 0600) and brings it to the newest schema. A file of a newer
    /// berth is refused as `unsupported`, naming both versions; nothing is ever migrated backwards.
    [[nodiscard]] static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path);
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database();

    /// Runs one statement with bound values and returns its rows. A broken UNIQUE constraint is
    /// already_exists with the column ("containers.name") in `field`.
    [[nodiscard]] Result<std::vector<Row>> run(std::string_view sql,
                                               const std::vector<Value>& values = {});

    /// Runs `work` in one transaction (BEGIN IMMEDIATE): all of it is kept, or, on an error, none.
    /// Calls of run() inside belong to it; other threads wait. Does not nest.
    [[nodiscard]] Result<> transact(const std::function<Result<>()>& work);

    [[nodiscard]] std::int64_t schema_version();

private:
    explicit Database(sqlite3* handle);
    Result<> migrate();
    sqlite3* handle_;
    std::recursive_mutex mutex_;
};

[[nodiscard]] std::int64_t integer(const Value& value);  // 0 when it is none
[[nodiscard]] std::string text(const Value& value);      // "" when it is none

}  // namespace berth::store
