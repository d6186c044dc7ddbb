// SPDX-License-Identifier: Apache-2.0
// Lines on their way from the loops to the writer: a ring in which any thread puts and one takes,
// and nobody waits for anybody. Each cell counts its turns (the bounded queue of Dmitry Vyukov).
#pragma once

#include "sentinel/access/access.h"

#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

namespace berth::sentinel {

class AccessQueue {
public:
    /// A power of two.
    explicit AccessQueue(std::size_t size) : cells_(size) {
        for (std::size_t at = 0; at < size; ++at) cells_[at].turn = at;
    }

    /// False when it is full, and then the access is as it was. Any thread.
    [[nodiscard]] bool put(Access& access) noexcept {
        std::size_t at = head_.load(std::memory_order_relaxed);
        while (true) {
            Cell& cell = cells_[at & (cells_.size() - 1)];
            const std::size_t turn = cell.turn;
            if (turn == at) {
                if (!head_.compare_exchange_weak(at, at + 1)) continue;
                cell.access = std::move(access);
                cell.turn = at + 1;
                return true;
            }
            if (turn < at) return false;  // what was put there a round ago was not taken yet
            at = head_.load(std::memory_order_relaxed);
        }
    }
    /// False when it is empty. One thread.
    [[nodiscard]] bool take(Access& into) noexcept {
        if (empty()) return false;
        Cell& cell = cells_[tail_ & (cells_.size() - 1)];
        into = std::move(cell.access);
        cell.turn = tail_ + cells_.size();
        ++tail_;
        return true;
    }
    /// The same thread.
    [[nodiscard]] bool empty() const noexcept {
        return cells_[tail_ & (cells_.size() - 1)].turn != tail_ + 1;
    }

private:
    struct Cell {
        std::atomic<std::size_t> turn = 0;
        Access access = {};
    };
    std::vector<Cell> cells_;
    std::atomic<std::size_t> head_ = 0;
    std::size_t tail_ = 0;
};

}  // namespace berth::sentinel
