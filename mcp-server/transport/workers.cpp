// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/workers.h"

namespace berth::mcp {

Workers::Workers(WorkerLimits limits, std::function<void()> on_room)
    : limits_(limits), on_room_(std::move(on_room)) {}

Workers::~Workers() {
    {
        const std::scoped_lock lock(mutex_);
        ending_ = true;
    }
    work_.notify_all();
    for (auto& thread : threads_) thread.join();
}

bool Workers::has_room() const {
    const std::scoped_lock lock(mutex_);
    return jobs_ < limits_.jobs;
}

void Workers::run(std::function<void()> job) {
    {
        const std::scoped_lock lock(mutex_);
        add(std::move(job));
    }
    work_.notify_one();
}

bool Workers::run_at_once(std::function<void()> job) {
    {
        const std::scoped_lock lock(mutex_);
        if (jobs_ >= limits_.threads) return false;
        add(std::move(job));
    }
    work_.notify_one();
    return true;
}

void Workers::add(std::function<void()> job) {
    waiting_.push_back(std::move(job));
    ++jobs_;
    if (jobs_ > threads_.size() && threads_.size() < limits_.threads)
        threads_.emplace_back([this] { work(); });
}

bool Workers::wait_idle(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return idle_.wait_for(lock, time, [this] { return jobs_ == 0; });
}

void Workers::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        work_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        const auto job = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        job();
        lock.lock();
        const bool was_full = jobs_-- == limits_.jobs;
        if (jobs_ == 0) idle_.notify_all();
        if (was_full) on_room_();
    }
}

}  // namespace berth::mcp
