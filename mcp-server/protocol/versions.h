// SPDX-License-Identifier: Apache-2.0
// The revisions of MCP that are served. "Modern" ones carry their version in every request and know
// no session; "legacy" ones agree on a version in initialize.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace berth::mcp {

enum class Era : std::uint8_t { legacy, modern };

inline constexpr std::string_view modern_version = "2026-07-28";
inline constexpr std::string_view newest_legacy_version = "2025-11-25";
/// The only revision with batches.
inline constexpr std::string_view batch_version = "2025-03-26";

/// Newest first.
inline constexpr std::array<std::string_view, 5> supported_versions = {
    modern_version, newest_legacy_version, "2025-06-18", batch_version, "2024-11-05"};

[[nodiscard]] constexpr bool is_legacy_version(std::string_view version) {
    return version != modern_version &&
           std::ranges::find(supported_versions, version) != supported_versions.end();
}

}  // namespace berth::mcp
