// SPDX-License-Identifier: Apache-2.0
// The few primitives that this room takes from OpenSSL, as functions over strings of bytes.
#pragma once

#include "tools-schema/contract/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace berth::auth {

/// The same bytes, as OpenSSL calls them.
[[nodiscard]] inline const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

/// Base64url without padding (RFC 4648 section 5, as RFC 7515 uses it).
[[nodiscard]] std::string encode_base64url(std::string_view bytes);
/// Strict: one text for each byte string, so no padding, no line breaks and no bits left over.
[[nodiscard]] Result<std::string> decode_base64url(std::string_view text);

/// 32 bytes.
[[nodiscard]] std::string sha256(std::string_view bytes);
/// 64 digits in lower case.
[[nodiscard]] std::string sha256_hex(std::string_view text);
/// 32 bytes.
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view bytes);

/// Takes as long for texts that differ early as for texts that differ late.
[[nodiscard]] bool equal_in_constant_time(std::string_view one, std::string_view other);

/// From the kernel.
[[nodiscard]] std::string random_bytes(std::size_t count);

}  // namespace berth::auth
