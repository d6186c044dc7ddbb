// SPDX-License-Identifier: Apache-2.0
// A handler may do next to nothing, so it writes to a pipe and a thread does the rest.
#include "mcp-server/cli/interrupt.h"

#include "base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>

namespace berth::cli {
namespace {

constexpr int exit_interrupted = 128 + SIGINT;

std::atomic<int> wake_fd{-1};
std::atomic<int> interrupts{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may use it");

extern "C" void on_interrupt(int) {
    if (interrupts.fetch_add(1) > 0) ::_exit(exit_interrupted);
    const int errno_before = errno;
    const char byte = 'i';
    (void)!::write(wake_fd.load(), &byte, 1);
    errno = errno_before;
}

class Watch {
public:
    explicit Watch(std::stop_source source) : source_(std::move(source)) {
        struct sigaction now{};
        if (::sigaction(SIGINT, nullptr, &now) != 0 || now.sa_handler == SIG_IGN) return;
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return;
        read_end_ = Fd(ends[0]);
        write_end_ = Fd(ends[1]);
        wake_fd = write_end_.get();
        interrupts = 0;
        thread_ = std::jthread([this] { wait(); });
        struct sigaction wanted{};
        wanted.sa_handler = on_interrupt;
        wanted.sa_flags = SA_RESTART;
        armed_ = ::sigaction(SIGINT, &wanted, &before_) == 0;
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() {
        if (armed_) (void)::sigaction(SIGINT, &before_, nullptr);
        wake_fd = -1;
        write_end_.reset();  // wakes the thread
    }

private:
    void wait() {
        pollfd polled{.fd = read_end_.get(), .events = POLLIN, .revents = 0};
        while (::poll(&polled, 1, -1) < 0) {
        }
        if ((polled.revents & POLLIN) != 0) source_.request_stop();
    }

    std::stop_source source_;
    Fd read_end_;
    Fd write_end_;
    struct sigaction before_{};
    bool armed_ = false;
    std::jthread thread_;  // last: it uses the others
};

}  // namespace

std::shared_ptr<void> stop_on_interrupt(std::stop_source source) {
    return std::make_shared<Watch>(std::move(source));
}

}  // namespace berth::cli
