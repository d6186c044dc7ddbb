// SPDX-License-Identifier: Apache-2.0
// Who uses a container now, and when somebody last did: what an idle stop goes by.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace berth::container {

class Uses {
public:
    using Time = std::chrono::system_clock::time_point;

    struct Seen {
        int now = 0;
        Time last = {};
    };

    /// A use until it is destroyed.
    class Held {
    public:
        Held(Uses& uses, std::string id, const std::function<Time()>& now)
            : uses_(&uses), id_(std::move(id)), now_(now) {
            uses_->change(id_, 1, now_());
        }
        Held(Held&& other) noexcept
            : uses_(std::exchange(other.uses_, nullptr)),
              id_(std::move(other.id_)),
              now_(std::move(other.now_)) {}
        Held(const Held&) = delete;
        Held& operator=(const Held&) = delete;
        Held& operator=(Held&&) = delete;
        ~Held() {
            if (uses_ != nullptr) uses_->change(id_, -1, now_());
        }

    private:
        Uses* uses_;
        std::string id_;
        std::function<Time()> now_;
    };

    /// A use that has passed already.
    void touch(std::string_view id, Time when) { change(id, 0, when); }

    /// Nothing when nobody has used it since this berthd runs.
    [[nodiscard]] std::optional<Seen> of(std::string_view id) {
        const std::lock_guard lock(mutex_);
        const auto found = seen_.find(id);
        return found == seen_.end() ? std::nullopt : std::optional(found->second);
    }

    void forget(std::string_view id) {
        const std::lock_guard lock(mutex_);
        if (const auto found = seen_.find(id); found != seen_.end() && found->second.now == 0)
            seen_.erase(found);
    }

private:
    void change(std::string_view id, int by, Time when) {
        const std::lock_guard lock(mutex_);
        auto& seen = seen_[std::string(id)];
        seen.now += by;
        seen.last = std::max(seen.last, when);
    }

    std::mutex mutex_;
    std::map<std::string, Seen, std::less<>> seen_;
};

}  // namespace berth::container
