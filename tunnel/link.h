// SPDX-License-Identifier: Apache-2.0
// What a pair of unix sockets cannot say: whether an end came by a reset. Each side of a pair has
// the same link, sets its flag before it closes, and looks at the other's when the end has come.
#pragma once

#include <atomic>
#include <memory>

namespace berth::tunnel {

struct Link {
    std::atomic<bool> reset_by_front = false;   // the client of the stream
    std::atomic<bool> reset_by_tunnel = false;  // the host behind it, or the session
};

}  // namespace berth::tunnel
