// SPDX-License-Identifier: Apache-2.0
// What the sentinel itself says to a TLS client: nothing but why it ends the connection.
#pragma once

#include <array>
#include <cstdint>

namespace berth::sentinel {

/// AlertDescription of RFC 8446 section 6; `none` is a close without a word.
enum class Alert : std::uint8_t {
    none = 0,
    decode_error = 50,
    internal_error = 80,
    unrecognized_name = 112,
};

/// A whole record with one fatal alert, in a version that every client takes before one is agreed
/// on.
[[nodiscard]] constexpr std::array<std::uint8_t, 7> alert_record(Alert alert) {
    return {21, 3, 3, 0, 2, 2, static_cast<std::uint8_t>(alert)};
}

}  // namespace berth::sentinel
