// SPDX-License-Identifier: Apache-2.0
#include "host/container/remains.h"

#include <algorithm>
#include <utility>

namespace berth::container {
namespace {

using namespace std::chrono_literals;

constexpr int doublings_max = 8;  // from a second on, about four minutes

}  // namespace

Remains::Remains(Remove remove, std::chrono::milliseconds retry_first)
    : remove_(std::move(remove)), retry_first_(retry_first) {
    for (std::size_t count = 0; count < removers_max; ++count)
        threads_.emplace_back([this](const std::stop_token& stopping) { run(stopping); });
}

void Remains::add(store::Container row) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back({.row = std::move(row), .not_before = Clock::now()});
    }
    changed_.notify_all();
}

void Remains::wait_fewer(std::size_t count, std::chrono::milliseconds time_max,
                         const std::stop_token& cancelled) {
    std::unique_lock lock(mutex_);
    (void)changed_.wait_for(lock, cancelled, time_max,
                            [&] { return waiting_.size() + at_work_ < count; });
}

bool Remains::wait_next(std::chrono::milliseconds time_max, const std::stop_token& cancelled) {
    std::unique_lock lock(mutex_);
    const auto before = removed_;
    (void)changed_.wait_for(lock, cancelled, time_max, [&] {
        return removed_ != before || (waiting_.empty() && at_work_ == 0);
    });
    return removed_ != before;
}

void Remains::run(const std::stop_token& stopping) {
    std::unique_lock lock(mutex_);
    while (!stopping.stop_requested()) {
        const auto next = std::ranges::min_element(waiting_, {}, &One::not_before);
        if (next == waiting_.end() || next->not_before > Clock::now()) {
            const auto until = next == waiting_.end() ? Clock::now() + 1h : next->not_before;
            (void)changed_.wait_until(lock, stopping, until, [this] {
                return std::ranges::any_of(waiting_, [now = Clock::now()](const One& one) {
                    return one.not_before <= now;
                });
            });
            continue;
        }
        One one = std::move(*next);
        waiting_.erase(next);
        ++at_work_;
        lock.unlock();
        const bool removed = remove_(one.row, one.attempt).has_value();
        lock.lock();
        --at_work_;
        if (removed) {
            ++removed_;
        } else {
            one.not_before =
                Clock::now() + retry_first_ * (1 << std::min(one.attempt, doublings_max));
            ++one.attempt;
            waiting_.push_back(std::move(one));
        }
        changed_.notify_all();
    }
}

}  // namespace berth::container
