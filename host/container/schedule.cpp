// SPDX-License-Identifier: Apache-2.0
#include "host/container/schedule.h"

#include <algorithm>

namespace berth::container::schedule {
namespace {

constexpr std::chrono::minutes grain_max{1};
constexpr int grains_per_idle_time = 4;

milliseconds idle_time(const store::Container& row) {
    return std::chrono::seconds(row.life.idle_stop_seconds);
}

milliseconds until(Time when, Time now) {
    return std::max(milliseconds(1), std::chrono::ceil<milliseconds>(when - now));
}

}  // namespace

Time to_time(std::int64_t milliseconds_since_1970) {
    return Time(milliseconds(milliseconds_since_1970));
}

milliseconds use_grain(const store::Container& row) {
    return std::min<milliseconds>(grain_max, idle_time(row) / grains_per_idle_time);
}

bool is_idle(const store::Container& row, Time last_use, Time now) {
    return row.life.idle_stop_seconds > 0 && now - last_use >= idle_time(row);
}

bool is_over(const store::Container& row, bool running, Time now) {
    if (row.life.is_protected || row.phase != store::Phase::ready) return false;
    if (row.life.expires_at > 0 && now >= to_time(row.life.expires_at)) return true;
    return row.life.after_stop == store::AfterStop::armed && !running && !row.wanted_running;
}

Next next_for(const store::Container& row, bool running, Time last_use, Time now) {
    if (row.phase != store::Phase::ready) return {};
    if (is_over(row, running, now)) return {.act = Act::remove};
    Next next;
    if (row.life.expires_at > 0 && !row.life.is_protected)
        next.look_in = until(to_time(row.life.expires_at), now);
    if (!running) {
        if (row.wanted_running) next.act = Act::start;
        return next;
    }
    // A start or a stop was cut short, or a change that stops it and starts it again.
    if (!row.wanted_running || row.restarting) return {.act = Act::stop};
    if (row.life.idle_stop_seconds == 0) return next;
    if (is_idle(row, last_use, now)) return {.act = Act::stop};
    // Logins of an earlier berthd are seen only by looking, hence by the grain.
    next.look_in = std::min({next.look_in, until(last_use + idle_time(row), now),
                             std::max(milliseconds(1), use_grain(row))});
    return next;
}

milliseconds Backoff::next(milliseconds uptime) {
    constexpr int doublings_max = 16;  // far beyond the longest delay
    if (uptime >= restart_forgiven_after) attempts_ = 0;
    const milliseconds delay = restart_delay_min * (1LL << std::min(attempts_, doublings_max));
    ++attempts_;
    return std::min<milliseconds>(delay, restart_delay_max);
}

}  // namespace berth::container::schedule
