// SPDX-License-Identifier: Apache-2.0
// A DNS name as routes are kept under, in its one spelling.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace berth::sentinel {

/// At most 253 bytes of lower-case labels, 1 to 63 of a-z, 0-9, '-' and '_' each, without a dot at
/// the end; never an IP address. It needs no memory of its own: a connection's name is read before
/// anything is known of who sent it.
class ServerName {
public:
    static constexpr std::size_t bytes_max = 253;  // RFC 1035 section 2.3.4, without the root

    ServerName() = default;
    /// Upper case is lowered and one dot at the end dropped; nothing when it is no such name.
    [[nodiscard]] static std::optional<ServerName> parse(std::string_view text) noexcept;
    [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), size_}; }

private:
    std::array<char, bytes_max> text_ = {};
    std::uint8_t size_ = 0;
};

}  // namespace berth::sentinel
