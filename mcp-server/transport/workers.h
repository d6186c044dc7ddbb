// SPDX-License-Identifier: Apache-2.0
// Threads for the calls of a stdio session: started when needed, kept, and never more than a bound.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace berth::mcp {

struct WorkerLimits {
    std::size_t threads = 65;  // one of them reads
    std::size_t jobs = 1025;   // waiting and running
};

class Workers {
public:
    /// `on_room` is called, from a worker, when has_room() becomes true again.
    Workers(WorkerLimits limits, std::function<void()> on_room);
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    /// Waits for every job.
    ~Workers();

    [[nodiscard]] bool has_room() const;
    /// Only when has_room().
    void run(std::function<void()> job);
    /// Only when has_room(). False, and nothing happens, when the job would have to wait for another
    /// one to end.
    [[nodiscard]] bool run_at_once(std::function<void()> job);
    /// True when every job was done within the time.
    [[nodiscard]] bool wait_idle(std::chrono::milliseconds time);

private:
    void add(std::function<void()> job);
    void work();

    WorkerLimits limits_;
    std::function<void()> on_room_;
    mutable std::mutex mutex_;
    std::condition_variable work_, idle_;
    std::deque<std::function<void()>> waiting_;
    std::size_t jobs_ = 0;
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace berth::mcp
