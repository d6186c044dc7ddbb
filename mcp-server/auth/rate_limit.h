// SPDX-License-Identifier: Apache-2.0
// How often one caller may call: a bucket for each, which fills as time passes.
#pragma once

#include "base/clock.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace berth::auth {

/// So many callers are remembered; beyond that, whoever was quiet longest is taken for new.
inline constexpr std::size_t limited_callers_max = 10'000;

struct RateLimitOptions {
    std::int64_t requests_per_second = 1000;  // 0: no limit
    std::int64_t burst = 2000;               // at least 1
};

/// Safe from many threads.
class RateLimit {
public:
    RateLimit(const RateLimitOptions& options, const Clock& clock)
        : options_(options),
          cost_(std::chrono::nanoseconds(std::chrono::seconds(1)) /
                std::max<std::int64_t>(options.requests_per_second, 1)),
          clock_(&clock) {}

    /// Counts a request. Nothing when it may go ahead; else how long to wait before the next.
    [[nodiscard]] std::optional<std::chrono::milliseconds> refused(std::string_view caller);

    [[nodiscard]] std::size_t callers() const;

private:
    using Time = std::chrono::steady_clock::time_point;
    struct Bucket {
        std::string caller;
        std::chrono::nanoseconds credit{0};  // what is in it, in time that it took to fill
        Time filled_at;
    };
    [[nodiscard]] Bucket& bucket_of(std::string_view caller, Time now);

    RateLimitOptions options_;
    std::chrono::nanoseconds cost_;  // of one request
    const Clock* clock_;
    mutable std::mutex mutex_;
    std::list<Bucket> buckets_;  // the one that was used last comes first
    std::map<std::string_view, std::list<Bucket>::iterator> by_caller_;  // keys live in buckets_
};

}  // namespace berth::auth
