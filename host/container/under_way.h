// SPDX-License-Identifier: Apache-2.0
// How many of something are under way, for whoever waits until none is.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace berth::container {

class UnderWay {
    using Clock = std::chrono::steady_clock;

public:
    /// @param follow_up So long after the end of one its caller is still at work: it uses what it
    ///     has got.
    explicit UnderWay(std::chrono::milliseconds follow_up = std::chrono::milliseconds(20))
        : follow_up_(follow_up) {}

    /// One more, while it is there.
    class One {
    public:
        explicit One(UnderWay& all) : all_(all) {
            const std::lock_guard lock(all_.mutex_);
            ++all_.count_;
        }
        One(const One&) = delete;
        One& operator=(const One&) = delete;
        ~One() {
            const std::lock_guard lock(all_.mutex_);
            all_.followed_up_at_ = Clock::now() + all_.follow_up_;
            if (--all_.count_ == 0) all_.none_.notify_all();
        }

    private:
        UnderWay& all_;
    };

    /// Waits until none is and the last has been followed up, but no longer than `time_max`; false
    /// when that has not come.
    bool wait_none(const std::stop_token& stopping, std::chrono::milliseconds time_max) {
        const auto deadline = Clock::now() + time_max;
        std::unique_lock lock(mutex_);
        for (;;) {
            if (!none_.wait_until(lock, stopping, deadline, [this] { return count_ == 0; }))
                return false;
            if (Clock::now() >= followed_up_at_) return true;
            // A copy, since the wait looks at it without the lock.
            const auto until = std::min(followed_up_at_, deadline);
            (void)none_.wait_until(lock, stopping, until, [] { return false; });
            if (stopping.stop_requested() || Clock::now() >= deadline) return false;
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable_any none_;
    std::chrono::milliseconds follow_up_;
    Clock::time_point followed_up_at_{};
    int count_ = 0;
};

}  // namespace berth::container
