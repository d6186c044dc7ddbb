// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next try: doubled from one to the next, spread so that those who lost
// one sentinel do not come back all at once. A sentinel that is not there costs nobody anything,
// and is to have its tunnels back within two seconds; one that says no is left in peace.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace berth::tunnel {

class Backoff {
public:
    using milliseconds = std::chrono::milliseconds;
    static constexpr milliseconds wait_first{100};
    static constexpr milliseconds wait_unreachable_max{1'000};
    static constexpr milliseconds wait_refused_max{30'000};

    explicit Backoff(std::uint32_t seed) : random_(seed) {}

    /// Between half and one and a half of what is due after that many failures.
    [[nodiscard]] milliseconds next(bool refused) {
        const milliseconds most = refused ? wait_refused_max : wait_unreachable_max;
        const auto wait = std::min(most, wait_first * (std::int64_t{1} << failures_));
        failures_ = std::min(failures_ + 1, doublings_max);
        std::uniform_int_distribution<std::int64_t> spread(wait.count() / 2, wait.count() * 3 / 2);
        return milliseconds(spread(random_));
    }
    /// It went well: the next failure is the first.
    void reset() { failures_ = 0; }

private:
    static constexpr int doublings_max = 16;
    int failures_ = 0;
    std::minstd_rand random_;
};

}  // namespace berth::tunnel
