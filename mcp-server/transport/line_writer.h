// SPDX-License-Identifier: Apache-2.0
// Writes lines to a descriptor for many threads. A peer that does not read holds up nobody until a
// bound is reached: the reading side must go on, or both ends would wait for each other.
#pragma once

#include "base/fd.h"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace berth::mcp {

/// With more bytes waiting than this, put() waits.
inline constexpr std::size_t unwritten_bytes_max = 64 * 1024 * 1024;

class LineWriter {
public:
    /// `on_broken` is called once, from any thread, when the peer reads no more.
    LineWriter(Fd output, std::function<void()> on_broken);
    LineWriter(const LineWriter&) = delete;
    LineWriter& operator=(const LineWriter&) = delete;
    ~LineWriter();

    /// A line, without its end.
    void put(std::string line);
    /// True when everything was written within the time.
    [[nodiscard]] bool wait_written(std::chrono::milliseconds time);

private:
    [[nodiscard]] bool can_write_now(std::size_t size) const;
    void write_all();
    void break_off();

    Fd output_;
    std::function<void()> on_broken_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::string> waiting_;
    std::size_t waiting_bytes_ = 0;
    bool writing_ = false, broken_ = false, ending_ = false;
    std::thread thread_;  // started when a line first has to wait
};

}  // namespace berth::mcp
