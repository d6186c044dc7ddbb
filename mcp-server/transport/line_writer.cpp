// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/line_writer.h"

#include "base/files.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

namespace berth::mcp {
namespace {

/// A pipe that is ready takes this much without making the writer wait (pipe(7), PIPE_BUF).
constexpr std::size_t direct_bytes_max = 4096;

}  // namespace

LineWriter::LineWriter(Fd output, std::function<void()> on_broken)
    : output_(std::move(output)), on_broken_(std::move(on_broken)) {}

LineWriter::~LineWriter() {
    {
        const std::scoped_lock lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void LineWriter::put(std::string line) {
    line += '\n';
    std::unique_lock lock(mutex_);
    const bool idle = waiting_.empty() && !writing_;
    if (idle && !broken_ && can_write_now(line.size())) {
        if (!berth::write_all(output_.get(), line)) break_off();
        return;
    }
    changed_.wait(lock, [this] { return broken_ || waiting_bytes_ < unwritten_bytes_max; });
    if (broken_) return;
    waiting_bytes_ += line.size();
    waiting_.push_back(std::move(line));
    if (!thread_.joinable()) thread_ = std::thread([this] { write_all(); });
    changed_.notify_all();
}

bool LineWriter::wait_written(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time,
                             [this] { return broken_ || (waiting_.empty() && !writing_); });
}

/// Only we write here, so what fits now will still fit in a moment.
bool LineWriter::can_write_now(std::size_t size) const {
    if (size <= direct_bytes_max) {
        pollfd polled{.fd = output_.get(), .events = POLLOUT, .revents = 0};
        return ::poll(&polled, 1, 0) == 1;
    }
    int unread = 0;
    const int capacity = ::fcntl(output_.get(), F_GETPIPE_SZ);  // -1 for what is no pipe
    return capacity > 0 && ::ioctl(output_.get(), FIONREAD, &unread) == 0 && unread == 0 &&
           size <= static_cast<std::size_t>(capacity);
}

void LineWriter::write_all() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return ending_ || broken_ || !waiting_.empty(); });
        if (broken_ || waiting_.empty()) return;
        const std::string line = std::move(waiting_.front());
        waiting_.pop_front();
        writing_ = true;
        lock.unlock();
        const bool written = static_cast<bool>(berth::write_all(output_.get(), line));
        lock.lock();
        writing_ = false;
        waiting_bytes_ -= line.size();
        if (!written) break_off();
        changed_.notify_all();
    }
}

void LineWriter::break_off() {
    if (std::exchange(broken_, true)) return;
    changed_.notify_all();
    on_broken_();
}

}  // namespace berth::mcp
