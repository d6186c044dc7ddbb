// SPDX-License-Identifier: Apache-2.0
// Reads forward over bytes that somebody else wrote. What does not fit is nothing, and then no
// byte has been taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace berth {

class ByteReader {
public:
    explicit ByteReader(std::string_view bytes) noexcept : rest_(bytes) {}

    [[nodiscard]] bool done() const noexcept { return rest_.empty(); }
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

    [[nodiscard]] std::optional<std::string_view> take(std::size_t count) noexcept {
        if (count > rest_.size()) return std::nullopt;
        const auto head = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return head;
    }

    /// An unsigned number of `width` bytes, at most 4, the highest first.
    [[nodiscard]] std::optional<std::uint32_t> number(std::size_t width) noexcept {
        const auto bytes = take(width);
        if (!bytes) return std::nullopt;
        std::uint32_t value = 0;
        for (const char byte : *bytes) value = value << 8U | static_cast<std::uint8_t>(byte);
        return value;
    }

    /// A length of `width` bytes, then that many bytes.
    [[nodiscard]] std::optional<std::string_view> block(std::size_t width) noexcept {
        const ByteReader before = *this;
        const auto length = number(width);
        const auto bytes = length ? take(*length) : std::nullopt;
        if (!bytes) *this = before;
        return bytes;
    }

private:
    std::string_view rest_;
};

}  // namespace berth
