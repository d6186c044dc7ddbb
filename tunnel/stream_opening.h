// SPDX-License-Identifier: Apache-2.0
// The first bytes of every stream, by whoever opened it: where to, for whom, and why.
#pragma once

#include "base/socket_address.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace berth::tunnel {

enum class Purpose : std::uint8_t {
    visit = 1,  // somebody asked the front for a name of this host
};

struct StreamOpening {
    Purpose purpose = Purpose::visit;
    std::uint16_t port = 0;     // of the host that is asked for
    SocketAddress source = {};  // who asks
    std::string name = {};      // that was asked for; "" when none was
    bool operator==(const StreamOpening&) const = default;
};

constexpr std::size_t opening_bytes_max = 2 + 1 + 2 + 1 + 16 + 2 + 1 + 255;

[[nodiscard]] std::string encode(const StreamOpening& opening);

enum class OpeningState : std::uint8_t { need_more, wrong, read };

struct OpeningRead {
    OpeningState state = OpeningState::need_more;
    StreamOpening opening = {};
    std::size_t bytes = 0;  // that it was, of those given
};

/// Reads one from the begin of `bytes`.
[[nodiscard]] OpeningRead read_opening(std::string_view bytes);

}  // namespace berth::tunnel
