// SPDX-License-Identifier: Apache-2.0
// The small files of sysfs and proc, read as what they mean. What is not there is nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::gpu {

/// What no file read here is longer than.
inline constexpr std::size_t attribute_bytes_max = 64 * 1024;

/// Without blanks around it; nothing when there is no such file.
[[nodiscard]] std::optional<std::string> attribute(const std::filesystem::path& file);
/// A decimal number and nothing else.
[[nodiscard]] std::optional<std::int64_t> number(std::string_view text);
[[nodiscard]] std::optional<std::int64_t> number_in(const std::filesystem::path& file);
/// "226:128" of a `dev` file.
[[nodiscard]] std::optional<std::pair<std::uint32_t, std::uint32_t>> device_numbers(
    std::string_view text);
/// The last part of where a link leads: a driver's name, an IOMMU group's number.
[[nodiscard]] std::optional<std::string> target_of(const std::filesystem::path& link);
/// Names in a directory, in order; none when there is no such directory.
[[nodiscard]] std::vector<std::string> names_in(const std::filesystem::path& directory);
/// N of "gi7" where `prefix` is "gi"; nothing when the name is another.
[[nodiscard]] std::optional<int> number_after(std::string_view name, std::string_view prefix);
/// Without blanks and tabs at its ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);

}  // namespace berth::gpu
