// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648 section 4). Decoding is strict: one text for each byte string, so that two texts
// are equal exactly when what they stand for is.
#include "tools-schema/contract/names.h"

#include <array>
#include <cstdint>

namespace berth {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::unexpected<Error> not_base64() {
    return fail(ErrorCode::invalid_argument, "is not base64 with padding");
}

}  // namespace

Result<std::string> decode_base64(std::string_view text) {
    if (text.size() % 4 != 0) return not_base64();
    std::size_t padding = 0;
    while (padding < 2 && text.ends_with('=')) {
        text.remove_suffix(1);
        ++padding;
    }
    std::string bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (const char c : text) {
        const auto digit = alphabet.find(c);
        if (digit == std::string_view::npos) return not_base64();
        held = (held << 6) | static_cast<std::uint32_t>(digit);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes.push_back(static_cast<char>((held >> bits) & 0xff));
            held &= (1U << bits) - 1;
        }
    }
    return held == 0 ? Result<std::string>(std::move(bytes)) : not_base64();
}

std::string encode_base64(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (const char c : bytes) {
        held = (held << 8) | static_cast<std::uint8_t>(c);
        for (bits += 8; bits >= 6;) {
            bits -= 6;
            text.push_back(alphabet[(held >> bits) & 63]);
        }
    }
    if (bits > 0) text.push_back(alphabet[(held << (6 - bits)) & 63]);
    text.append((4 - text.size() % 4) % 4, '=');
    return text;
}

}  // namespace berth
