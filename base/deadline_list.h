// SPDX-License-Identifier: Apache-2.0
// Things that all have the same time left when they come, and so are due in the order they came.
#pragma once

#include <cstdint>

namespace berth {

/// What can be in one DeadlineList at a time; leaves it when destroyed.
class Timed {
public:
    Timed() = default;
    Timed(const Timed&) = delete;
    Timed& operator=(const Timed&) = delete;
    ~Timed() { leave(); }

    [[nodiscard]] bool is_waiting() const noexcept { return after_ != this; }
    void leave() noexcept {
        before_->after_ = after_;
        after_->before_ = before_;
        before_ = after_ = this;
    }

private:
    friend class DeadlineList;
    Timed* before_ = this;
    Timed* after_ = this;
    std::int64_t due_ms_ = 0;
};

class DeadlineList {
public:
    explicit DeadlineList(std::int64_t period_ms) : period_ms_(period_ms) {}

    /// It leaves where it was.
    void add(Timed& timed, std::int64_t now_ms) noexcept {
        timed.leave();
        timed.due_ms_ = now_ms + period_ms_;
        timed.before_ = end_.before_;
        timed.after_ = &end_;
        end_.before_->after_ = &timed;
        end_.before_ = &timed;
    }
    /// The one that came first, nullptr when there is none.
    [[nodiscard]] Timed* first() noexcept { return end_.is_waiting() ? end_.after_ : nullptr; }
    /// The same, when it is due.
    [[nodiscard]] Timed* first_due(std::int64_t now_ms) noexcept {
        Timed* const timed = first();
        return timed != nullptr && timed->due_ms_ <= now_ms ? timed : nullptr;
    }
    /// When the first is due; `never` when there is none.
    [[nodiscard]] std::int64_t due_ms(std::int64_t never) noexcept {
        const Timed* const timed = first();
        return timed == nullptr ? never : timed->due_ms_;
    }

private:
    std::int64_t period_ms_;
    Timed end_;
};

}  // namespace berth
