// SPDX-License-Identifier: Apache-2.0
// CRC-32C (RFC 9260 appendix A): notices damage, and protects from nobody.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace berth::sentinel {

namespace detail {

constexpr std::array<std::uint32_t, 256> crc32c_table = [] {
    constexpr std::uint32_t polynomial = 0x82f63b78;  // its bits in reverse
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
        std::uint32_t rest = byte;
        for (int bit = 0; bit < 8; ++bit) rest = rest >> 1U ^ ((rest & 1U) != 0 ? polynomial : 0);
        table[byte] = rest;
    }
    return table;
}();

}  // namespace detail

[[nodiscard]] constexpr std::uint32_t crc32c(std::string_view bytes) {
    std::uint32_t rest = ~std::uint32_t{0};
    for (const char byte : bytes) {
        rest = rest >> 8U ^ detail::crc32c_table[(rest ^ static_cast<std::uint8_t>(byte)) & 0xffU];
    }
    return ~rest;
}

}  // namespace berth::sentinel
