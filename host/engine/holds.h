// SPDX-License-Identifier: Apache-2.0
// Which containers stand still because their files are being copied. That is a moment's matter of
// berth's own and no pause: nobody is refused for it, and who wants something of such a container
// waits here.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>

namespace berth::engine {

inline constexpr std::chrono::seconds copy_time_max{60};  // for as long may a container stand still
/// A copy, and the halt before it.
inline constexpr std::chrono::seconds hold_time_max = copy_time_max + std::chrono::seconds(15);

class Holds {
public:
    void begin(std::string_view id) {
        const std::lock_guard lock(mutex_);
        held_.emplace(id);
    }
    void end(std::string_view id) {
        {
            const std::lock_guard lock(mutex_);
            if (const auto found = held_.find(id); found != held_.end()) held_.erase(found);
        }
        ended_.notify_all();
    }
    [[nodiscard]] bool contains(std::string_view id) const {
        const std::lock_guard lock(mutex_);
        return held_.contains(id);
    }
    /// Returns when that container is not held, which mostly is at once. False when `cancelled`
    /// came first, or nobody lets it go within hold_time_max.
    [[nodiscard]] bool await_end(std::string_view id, const std::stop_token& cancelled) {
        std::unique_lock lock(mutex_);
        return ended_.wait_for(lock, cancelled, hold_time_max,
                               [this, id] { return !held_.contains(id); });
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable_any ended_;
    std::set<std::string, std::less<>> held_;
};

}  // namespace berth::engine
