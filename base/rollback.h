// SPDX-License-Identifier: Apache-2.0
// The undo stack of a multi-step change.
#pragma once

#include <functional>
#include <vector>

namespace berth {

/// Undoes what was done, newest first, unless keep() says the whole operation stood. Steps capture
/// by value: a Rollback is declared first, so it runs after the locals below it are gone.
class Rollback {
public:
    Rollback() = default;
    Rollback(const Rollback&) = delete;
    Rollback& operator=(const Rollback&) = delete;
    ~Rollback() {
        for (; !undo_.empty(); undo_.pop_back()) undo_.back()();
    }

    void on_failure(std::move_only_function<void() noexcept> undo) {
        undo_.push_back(std::move(undo));
    }
    void keep() noexcept { undo_.clear(); }

private:
    std::vector<std::move_only_function<void() noexcept>> undo_;
};

}  // namespace berth
