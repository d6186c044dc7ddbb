// SPDX-License-Identifier: Apache-2.0
// What this room takes from OpenSSL's libcrypto.
#pragma once

#include <string>
#include <string_view>

namespace berth::sentinel {

/// SHA-256, as 64 digits in lower case.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

/// Takes as long for texts of one length that differ early as for those that differ late.
[[nodiscard]] bool equal_in_constant_time(std::string_view one, std::string_view other);

}  // namespace berth::sentinel
