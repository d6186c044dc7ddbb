// SPDX-License-Identifier: Apache-2.0
// Removes what is left of containers that are deleted already: the kernel takes its time over a
// network and a mount, and no caller has to wait for that. What cannot be removed is tried again.
#pragma once

#include "host/store/containers.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace berth::container {

/// Most of a removal is waiting for the kernel, so that several at once take no longer.
inline constexpr std::size_t removers_max = 4;
/// Of more than this, whoever deletes one more waits for one that is removed.
inline constexpr std::size_t remains_max = 64;

class Remains {
public:
    /// Removes what is left of one, and says whether nothing is. `attempt` counts from 0.
    using Remove = std::function<Result<>(const store::Container& row, int attempt)>;

    /// @param retry_first How long what failed waits; twice as long after each further time.
    explicit Remains(Remove remove,
                     std::chrono::milliseconds retry_first = std::chrono::seconds(1));
    Remains(const Remains&) = delete;
    Remains& operator=(const Remains&) = delete;
    /// What is left then is for the next start of berthd.
    ~Remains() = default;

    void add(store::Container row);
    /// Waits until fewer than `count` are left, but no longer than `time_max`.
    void wait_fewer(std::size_t count, std::chrono::milliseconds time_max,
                    const std::stop_token& cancelled = {});
    /// Waits until one more has been removed; false when there is none, or `time_max` has passed.
    bool wait_next(std::chrono::milliseconds time_max, const std::stop_token& cancelled = {});

private:
    using Clock = std::chrono::steady_clock;
    struct One {
        store::Container row;
        Clock::time_point not_before;
        int attempt = 0;
    };
    void run(const std::stop_token& stopping);

    Remove remove_;
    std::chrono::milliseconds retry_first_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<One> waiting_;
    std::size_t at_work_ = 0;
    std::uint64_t removed_ = 0;
    std::vector<std::jthread> threads_;  // last, so that they end before what they use
};

}  // namespace berth::container
