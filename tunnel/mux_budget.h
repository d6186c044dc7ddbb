// SPDX-License-Identifier: Apache-2.0
// What all sessions of a process may hold together of what has arrived and nobody takes.
#pragma once

#include <atomic>
#include <cstdint>

namespace berth::tunnel {

class MuxBudget {
public:
    explicit MuxBudget(std::uint64_t bytes_max = std::uint64_t{512} << 20U)
        : bytes_max_(bytes_max) {}

    /// Nothing more may be kept.
    [[nodiscard]] bool is_spent() const { return held() >= bytes_max_; }
    /// Nobody is to be promised more.
    [[nodiscard]] bool is_scarce() const { return held() >= bytes_max_ / 2; }
    [[nodiscard]] std::uint64_t held() const { return held_.load(std::memory_order_relaxed); }
    void take(std::uint64_t bytes) { held_.fetch_add(bytes, std::memory_order_relaxed); }
    void give_back(std::uint64_t bytes) { held_.fetch_sub(bytes, std::memory_order_relaxed); }

private:
    const std::uint64_t bytes_max_;
    std::atomic<std::uint64_t> held_ = 0;
};

}  // namespace berth::tunnel
