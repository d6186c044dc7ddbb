// SPDX-License-Identifier: Apache-2.0
// One line of JSON for each connection that is over. Who has it written never waits for a disk or a
// pipe: what the writer cannot follow is dropped, and counted.
#pragma once

#include "base/fd.h"
#include "sentinel/access/access_queue.h"
#include "tools-schema/contract/result.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace berth::sentinel {

class AccessLog {
public:
    /// That may wait for the writer: about a second of all that a core can route, in 3 MiB.
    static constexpr std::size_t waiting_max = 16'384;

    /// Appends to a file, which it makes, or ("-") writes to standard output.
    [[nodiscard]] static Result<std::unique_ptr<AccessLog>> open(const std::filesystem::path& file);
    AccessLog(const AccessLog&) = delete;
    AccessLog& operator=(const AccessLog&) = delete;
    /// Writes what waits, for a second at most.
    ~AccessLog();

    /// Any thread; does not wait.
    void put(Access&& access) noexcept;
    /// Goes on in a new file of that name, after the old one was renamed. On an error it goes on
    /// where it was.
    [[nodiscard]] Result<> reopen();

    [[nodiscard]] std::uint64_t written() const noexcept { return written_; }
    [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

private:
    explicit AccessLog(std::filesystem::path file) : file_(std::move(file)), queue_(waiting_max) {}
    [[nodiscard]] Result<Fd> open_file() const;
    void run();
    void rest();
    void write(std::string& lines, std::uint64_t count);
    [[nodiscard]] bool await_room() const;

    const std::filesystem::path file_;
    AccessQueue queue_;
    Fd out_;  // of the writer
    Fd wake_;
    std::mutex mutex_;
    Fd next_;  // instead of out_, from the next line on
    std::atomic<bool> asleep_ = false;
    std::atomic<std::int64_t> stop_at_ms_;
    std::atomic<std::uint64_t> written_ = 0, dropped_ = 0;
    bool failing_ = false;  // and that was told
    std::thread writer_;
};

}  // namespace berth::sentinel
