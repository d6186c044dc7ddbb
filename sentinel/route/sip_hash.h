// SPDX-License-Identifier: Apache-2.0
// SipHash-2-4 (Aumasson and Bernstein, 2012): a hash whose collisions cannot be made on purpose
// without its key. Names of routes come from tenants, and addresses from anybody.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace berth::sentinel {

using SipKey = std::array<std::uint64_t, 2>;

[[nodiscard]] inline std::uint64_t sip_hash(const SipKey& key, std::string_view bytes) noexcept {
    static_assert(std::endian::native == std::endian::little);
    std::uint64_t a = key[0] ^ 0x736f6d6570736575U, b = key[1] ^ 0x646f72616e646f6dU;
    std::uint64_t c = key[0] ^ 0x6c7967656e657261U, d = key[1] ^ 0x7465646279746573U;
    const auto rounds = [&](int count) {
        for (; count > 0; --count) {
            a += b, b = std::rotl(b, 13) ^ a, a = std::rotl(a, 32);
            c += d, d = std::rotl(d, 16) ^ c;
            a += d, d = std::rotl(d, 21) ^ a;
            c += b, b = std::rotl(b, 17) ^ c, c = std::rotl(c, 32);
        }
    };
    const auto add = [&](std::uint64_t word) {
        d ^= word;
        rounds(2);
        a ^= word;
    };
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, 8);
        add(word);
    }
    std::uint64_t last = std::uint64_t{bytes.size()} << 56U;
    for (std::size_t shift = 0; at < bytes.size(); ++at, shift += 8) {
        last |= std::uint64_t{static_cast<std::uint8_t>(bytes[at])} << shift;
    }
    add(last);
    c ^= 0xff;
    rounds(4);
    return a ^ b ^ c ^ d;
}

/// A key of random bytes from the kernel.
[[nodiscard]] SipKey random_sip_key();

}  // namespace berth::sentinel
