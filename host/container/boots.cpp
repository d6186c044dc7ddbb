// SPDX-License-Identifier: Apache-2.0
#include "host/container/boots.h"

#include <algorithm>
#include <utility>

namespace berth::container {

Boots::Boots(engine::ContainerEngine& engine, UnderWay& creates)
    : engine_(engine),
      creates_(creates),
      thread_([this](const std::stop_token& stopping) { run(stopping); }) {}

void Boots::add(std::string id) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back({std::move(id), std::chrono::steady_clock::now() + boot_waits_max});
    }
    added_.notify_one();
}

void Boots::run(const std::stop_token& stopping) {
    for (;;) {
        Waiting next;
        {
            std::unique_lock lock(mutex_);
            if (!added_.wait(lock, stopping, [this] { return !waiting_.empty(); })) return;
            next = std::move(waiting_.front());
            waiting_.pop_front();
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            next.not_after - std::chrono::steady_clock::now());
        (void)creates_.wait_none(stopping, std::max(left, std::chrono::milliseconds(0)));
        engine_.begin(next.id);
    }
}

}  // namespace berth::container
