// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/crypto.h"

#include "tools-schema/contract/names.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <algorithm>

namespace berth::auth {
namespace {

constexpr std::size_t sha256_bytes = 32;

}  // namespace

std::string encode_base64url(std::string_view bytes) {
    std::string text = encode_base64(bytes);
    text.erase(text.find_last_not_of('=') + 1);
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    return text;
}

Result<std::string> decode_base64url(std::string_view text) {
    std::string standard(text);
    // What only standard base64 knows must not come in by this door.
    const bool foreign = standard.find_first_of("+/=") != std::string::npos;
    if (foreign || standard.size() % 4 == 1) {
        return fail(ErrorCode::invalid_argument, "is not base64url without padding");
    }
    std::ranges::replace(standard, '-', '+');
    std::ranges::replace(standard, '_', '/');
    standard.append((4 - standard.size() % 4) % 4, '=');
    auto bytes = decode_base64(standard);
    if (!bytes) return fail(ErrorCode::invalid_argument, "is not base64url without padding");
    return bytes;
}

std::string sha256(std::string_view bytes) {
    std::string digest(sha256_bytes, '\0');
    unsigned int length = 0;
    (void)::EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                       &length, ::EVP_sha256(), nullptr);
    return digest;
}

std::string sha256_hex(std::string_view text) {
    std::string hex;
    for (const char byte : sha256(text)) {
        hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    }
    return hex;
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
    std::string digest(sha256_bytes, '\0');
    unsigned int length = 0;
    (void)::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(bytes),
                 bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &length);
    return digest;
}

bool equal_in_constant_time(std::string_view one, std::string_view other) {
    return one.size() == other.size() && ::CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

std::string random_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    for (std::size_t filled = 0; filled < count;) {
        const ssize_t got = ::getrandom(bytes.data() + filled, count - filled, 0);
        if (got > 0) filled += static_cast<std::size_t>(got);
    }
    return bytes;
}

}  // namespace berth::auth
