// SPDX-License-Identifier: Apache-2.0
// When something happens to a container by itself: values in, values out.
#pragma once

#include "host/store/containers.h"

#include <chrono>
#include <cstdint>

namespace berth::container::schedule {

using Time = std::chrono::system_clock::time_point;
using std::chrono::milliseconds;

inline constexpr milliseconds never = milliseconds::max();
inline constexpr std::chrono::seconds restart_delay_min{1};
inline constexpr std::chrono::minutes restart_delay_max{5};
/// Whoever was up for so long has recovered: the next delay is the shortest again.
inline constexpr std::chrono::minutes restart_forgiven_after{10};
/// Whoever had to be started again so often, and was never up for so long, is flapping.
inline constexpr int flapping_attempts = 3;

[[nodiscard]] Time to_time(std::int64_t milliseconds_since_1970);

/// How long a use may go without being written down, so that not every command costs a write.
[[nodiscard]] milliseconds use_grain(const store::Container& row);

/// Whether nobody has used it for as long as it allows.
[[nodiscard]] bool is_idle(const store::Container& row, Time last_use, Time now);
/// Whether it is to be deleted: its time has passed, or it was stopped and goes after that.
/// Protection holds that up.
[[nodiscard]] bool is_over(const store::Container& row, bool running, Time now);

enum class Act : std::uint8_t { none, start, stop, remove };

/// What is to be done with a container, and in how long it is to be looked at again.
struct Next {
    Act act = Act::none;
    milliseconds look_in = never;
};

[[nodiscard]] Next next_for(const store::Container& row, bool running, Time last_use, Time now);

/// The growing delays between an end and the start after it.
class Backoff {
public:
    /// The next delay for something that was up for `uptime`: doubled each time, up to the longest.
    [[nodiscard]] milliseconds next(milliseconds uptime);

    /// How many delays there were since the shortest.
    [[nodiscard]] int attempts() const { return attempts_; }

private:
    int attempts_ = 0;
};

}  // namespace berth::container::schedule
