// SPDX-License-Identifier: Apache-2.0
// The containers that are booted and wait to be claimed, by what they were made as. Whoever takes
// one has it alone: it never comes back after a use.
#pragma once

#include "host/store/containers.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace berth::container {

/// One that waits, and all that it was made as; see ContainerService::made_as().
struct Waiter {
    store::Container row;
    std::string made_as;
};

class WaitingRoom {
public:
    /// The one that has waited longest of those made like that.
    [[nodiscard]] std::optional<Waiter> take(const std::string& made_as) {
        return take_if([&made_as](const Waiter& one) { return one.made_as == made_as; });
    }

    /// The one that has waited longest of those that `wanted` is true of.
    [[nodiscard]] std::optional<Waiter> take_if(const std::function<bool(const Waiter&)>& wanted) {
        std::optional<Waiter> taken;
        {
            const std::lock_guard lock(mutex_);
            const auto found = std::ranges::find_if(waiting_, wanted);
            if (found == waiting_.end()) return std::nullopt;
            taken = std::move(*found);
            waiting_.erase(found);
        }
        if (on_change_) on_change_();
        return taken;
    }

    /// One more that waits.
    void put(Waiter one) {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(one));
    }

    /// One that was taken and not touched is again the next.
    void put_back(Waiter one) {
        const std::lock_guard lock(mutex_);
        waiting_.push_front(std::move(one));
    }

    [[nodiscard]] std::size_t count(const std::string& made_as) const {
        const std::lock_guard lock(mutex_);
        return static_cast<std::size_t>(std::ranges::count(waiting_, made_as, &Waiter::made_as));
    }
    [[nodiscard]] std::size_t count() const {
        const std::lock_guard lock(mutex_);
        return waiting_.size();
    }

    /// Called whenever one has been taken, from the thread that took it. Set before the first call.
    void on_change(std::function<void()> told) { on_change_ = std::move(told); }

private:
    mutable std::mutex mutex_;
    std::deque<Waiter> waiting_;
    std::function<void()> on_change_;
};

}  // namespace berth::container
