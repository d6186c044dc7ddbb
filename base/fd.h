// SPDX-License-Identifier: Apache-2.0
// Owns one file descriptor. Nothing else in the tree calls ::close().
#pragma once

#include <unistd.h>

#include <utility>

namespace berth {

class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) noexcept : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        reset(std::exchange(other.fd_, -1));
        return *this;
    }
    ~Fd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    explicit operator bool() const noexcept { return fd_ >= 0; }

    /// EINTR is not retried: on Linux the descriptor is gone either way.
    void reset(int fd = -1) noexcept {
        if (const int old = std::exchange(fd_, fd); old >= 0) (void)::close(old);
    }

private:
    int fd_ = -1;
};

}  // namespace berth
