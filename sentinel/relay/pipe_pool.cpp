// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/pipe_pool.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace berth::sentinel {

Pipe PipePool::take() {
    if (!free_.empty()) {
        Pipe pipe = std::move(free_.back());
        free_.pop_back();
        return pipe;
    }
    if (takes_left_ > 0) {
        --takes_left_;
        return {};
    }
    std::array<int, 2> ends{};
    if (left_ == 0 || ::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0) return {};
    Pipe pipe{.output = Fd(ends[0]), .input = Fd(ends[1])};
    (void)::fcntl(pipe.input.get(), F_SETPIPE_SZ, pipe_bytes);  // what came of it is asked next
    if (::fcntl(pipe.input.get(), F_GETPIPE_SZ) < pipe_bytes_min) {
        // The user's budget is spent; copying is better than two pages at a time.
        takes_left_ = takes_between_tries;
        return {};
    }
    --left_;
    return pipe;
}

void PipePool::give_back(Pipe pipe, bool empty) {
    if (!pipe) return;
    if (empty) {
        free_.push_back(std::move(pipe));
    } else {
        ++left_;
    }
}

}  // namespace berth::sentinel
