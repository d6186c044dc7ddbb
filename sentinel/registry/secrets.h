// SPDX-License-Identifier: Apache-2.0
// What this room takes from OpenSSL's libcrypto.
#pragma once

#include <string>
#include <string_view>

namespace berth::sentinel {

/// SHA-256, as 64 digits in lower case.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

}  // namespace berth::sentinel
