// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/rate_limit.h"

#include <algorithm>

namespace berth::auth {

RateLimit::Bucket& RateLimit::bucket_of(std::string_view caller, Time now) {
    if (const auto known = by_caller_.find(caller); known != by_caller_.end()) {
        buckets_.splice(buckets_.begin(), buckets_, known->second);
        return buckets_.front();
    }
    if (buckets_.size() >= limited_callers_max) {
        by_caller_.erase(buckets_.back().caller);
        buckets_.pop_back();
    }
    buckets_.push_front(
        {.caller = std::string(caller), .credit = cost_ * options_.burst, .filled_at = now});
    by_caller_.emplace(buckets_.front().caller, buckets_.begin());
    return buckets_.front();
}

std::optional<std::chrono::milliseconds> RateLimit::refused(std::string_view caller) {
    if (options_.requests_per_second <= 0) return std::nullopt;
    const std::scoped_lock lock(mutex_);
    const Time now = clock_->steady();
    Bucket& bucket = bucket_of(caller, now);
    const auto full = cost_ * options_.burst;
    // Compared before it is added, because a long sleep could be more than the sum can hold.
    const auto passed = std::min<std::chrono::nanoseconds>(now - bucket.filled_at, full);
    bucket.credit = std::min(full, bucket.credit + passed);
    bucket.filled_at = now;
    if (bucket.credit < cost_) {
        return std::chrono::ceil<std::chrono::milliseconds>(cost_ - bucket.credit);
    }
    bucket.credit -= cost_;
    return std::nullopt;
}

std::size_t RateLimit::callers() const {
    const std::scoped_lock lock(mutex_);
    return buckets_.size();
}

}  // namespace berth::auth
