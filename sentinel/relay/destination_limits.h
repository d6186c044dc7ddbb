// SPDX-License-Identifier: Apache-2.0
// How many connections lead to one address at a time, so that none takes all descriptors: a pool
// whose address leads back here, by whatever way, would take two more with each round.
#pragma once

#include "base/socket_address.h"
#include "sentinel/route/sip_hash.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace berth::sentinel {

/// For any thread.
class DestinationLimits {
public:
    using Slot = std::uint16_t;
    static constexpr Slot none = 0;

    explicit DestinationLimits(std::size_t most) : most_(most) {}

    /// A place for one more connection to that address and port; `none` when there is none.
    [[nodiscard]] Slot enter(const SocketAddress& to) noexcept {
        const std::uint16_t port = to.port();
        std::array<char, 18> bytes{};  // an IPv6 address and a port
        std::ranges::copy(to.ip(), bytes.begin());
        bytes[16] = static_cast<char>(port >> 8U);
        bytes[17] = static_cast<char>(port & 0xffU);
        const auto slot = static_cast<Slot>(
            1 + sip_hash(key_, std::string_view(bytes.data(), bytes.size())) % slot_max);
        if (open_[slot].fetch_add(1, std::memory_order_relaxed) < most_) return slot;
        leave(slot);
        return none;
    }
    void leave(Slot slot) noexcept {
        if (slot != none) open_[slot].fetch_sub(1, std::memory_order_relaxed);
    }

private:
    /// Addresses share a counter when their keyed hashes do: a few in a million, and not by choice.
    static constexpr std::size_t slot_max = std::numeric_limits<Slot>::max();

    const std::size_t most_;
    const SipKey key_ = random_sip_key();
    std::array<std::atomic<std::uint32_t>, slot_max + 1> open_ = {};
};

}  // namespace berth::sentinel
