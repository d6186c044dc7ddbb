// SPDX-License-Identifier: Apache-2.0
// What to make of an accept(2) that fails. Most failures are the one client's, and the next may be
// taken at once. Where there is no descriptor or no memory for any, the client stays in the queue
// and the socket readable: whoever tries again at once does nothing else for as long as that lasts.
#pragma once

#include <cerrno>
#include <chrono>

namespace berth {

/// How long to let the socket be then.
inline constexpr std::chrono::milliseconds accept_pause{50};

/// Whether the next client could not be taken either.
[[nodiscard]] inline bool is_shortage(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace berth
