// SPDX-License-Identifier: Apache-2.0
// How many of something are under way, for whoever waits until none is.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace berth::container {

class UnderWay {
public:
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
            if (--all_.count_ == 0) all_.none_.notify_all();
        }

    private:
        UnderWay& all_;
    };

    /// Waits until none is, but no longer than `time_max`; false when some still are.
    bool wait_none(const std::stop_token& stopping, std::chrono::milliseconds time_max) {
        std::unique_lock lock(mutex_);
        return none_.wait_for(lock, stopping, time_max, [this] { return count_ == 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable_any none_;
    int count_ = 0;
};

}  // namespace berth::container
