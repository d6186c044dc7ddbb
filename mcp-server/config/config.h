// SPDX-License-Identifier: Apache-2.0
// Reads a program's TOML file strictly: what nobody asked for, has the wrong type or is out of
// range is an error with file, line and column. The border to toml++.
#pragma once

#include "tools-schema/contract/result.h"

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

/// Ask for every key there is, then call finish(), which reports all problems at once:
///
///     auto file = BERTH_TRY(ConfigFile::read("/etc/berth/berthd.toml"));
///     config.socket = file.string("socket").value_or(config.socket);
///     config.lease_seconds = file.integer("gpu.lease_seconds", 1, 86400).value_or(60);
///     BERTH_TRY(file.finish());
///
/// A dot in a key leads into a table and [n] into an array of tables, counted from 0. A getter
/// returns nothing for a key that is not there.
class ConfigFile {
public:
    /// not_found when there is no such file, invalid_argument when it is no TOML.
    [[nodiscard]] static Result<ConfigFile> read(const std::filesystem::path& path);
    /// `name` stands for the file in errors.
    [[nodiscard]] static Result<ConfigFile> parse(std::string_view text, std::string name);
    /// As if a file were there and said nothing but its version.
    [[nodiscard]] static ConfigFile empty();

    ConfigFile(ConfigFile&&) noexcept;
    ConfigFile& operator=(ConfigFile&&) noexcept;
    ~ConfigFile();

    [[nodiscard]] std::optional<std::string> string(std::string_view key);
    [[nodiscard]] std::optional<bool> boolean(std::string_view key);
    [[nodiscard]] std::optional<std::int64_t> integer(
        std::string_view key, std::int64_t minimum = std::numeric_limits<std::int64_t>::min(),
        std::int64_t maximum = std::numeric_limits<std::int64_t>::max());
    [[nodiscard]] std::optional<std::vector<std::string>> strings(std::string_view key);

    /// The keys of a table whose keys are anything; each is to be asked for. Nothing when there is
    /// no such table.
    [[nodiscard]] std::vector<std::string> keys(std::string_view key);
    /// How many tables an array of tables has.
    [[nodiscard]] std::size_t tables(std::string_view key);

    /// True when the key is there, whatever its value.
    [[nodiscard]] bool has(std::string_view key);

    /// Adds a problem with the value of a key that is there; of its table, when it is not.
    void reject(std::string_view key, std::string why);

    /// invalid_argument with every problem: wrong types, values that were rejected, keys that
    /// nobody asked for, and a `version` that is missing or not 1.
    [[nodiscard]] Result<> finish();

private:
    struct Document;
    explicit ConfigFile(std::unique_ptr<Document> document);
    std::unique_ptr<Document> document_;
};

}  // namespace berth
