// SPDX-License-Identifier: Apache-2.0
// Pipes for splice(2), lent to connections while bytes are in them.
#pragma once

#include "base/fd.h"

#include <cstddef>
#include <vector>

namespace berth::sentinel {

struct Pipe {
    Fd output, input;  // where bytes come out, and where they go in
    explicit operator bool() const noexcept { return static_cast<bool>(output); }
};

class PipePool {
public:
    /// What a pipe should hold. A user without privileges may have 64 MB in pipes altogether
    /// (pipe(7), pipe-user-pages-soft); those made beyond that are of two pages.
    static constexpr int pipe_bytes = 256 * 1024;
    static constexpr int pipe_bytes_min = 64 * 1024;

    /// After one that was of no use, since the user's budget may be free again.
    static constexpr std::size_t takes_between_tries = 64;

    explicit PipePool(std::size_t pipes_max) : left_(pipes_max) {}

    /// An empty pipe; none when all are lent, or no useful one can be made.
    [[nodiscard]] Pipe take();
    /// A pipe that still holds bytes is closed, so that they reach no other connection.
    void give_back(Pipe pipe, bool empty);

private:
    std::vector<Pipe> free_;
    std::size_t left_;            // how many may still be made
    std::size_t takes_left_ = 0;  // that get none before another is tried to be made
};

}  // namespace berth::sentinel
