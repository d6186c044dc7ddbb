// SPDX-License-Identifier: Apache-2.0
// A socket for which a stream is opened, and who is told what became of it.
#pragma once

#include "base/fd.h"

#include <cstdint>
#include <memory>
#include <string>

namespace berth::tunnel {

/// How a stream ended that was opened for a socket, and what that had said and taken since.
struct StreamEnd {
    enum class How : std::uint8_t {
        ended,    // both ways, behind the last byte
        reset,    // by one of the two
        refused,  // by the peer, before it had said anything: the socket was told so
        full,     // the session has as many as it may have: the socket was told so
        stopped,  // with the carrier
    };
    How how = How::ended;
    std::uint64_t bytes_from_socket = 0, bytes_to_socket = 0;
};

/// Who is told of such a stream, by the carrier's thread. It must not wait.
class StreamWatcher {
public:
    StreamWatcher() = default;
    StreamWatcher(const StreamWatcher&) = delete;
    StreamWatcher& operator=(const StreamWatcher&) = delete;
    virtual ~StreamWatcher() = default;
    /// The first byte of the peer's has come.
    virtual void heard() = 0;
    /// Once, before the socket's other end can see it.
    virtual void over(const StreamEnd& end) = 0;
};

/// A socket for which a stream is to be opened.
struct Visitor {
    Fd socket;
    std::string said = {};  // what was read of it already
    /// What it is told when the peer refuses it.
    std::string refusal = {};
    std::unique_ptr<StreamWatcher> watcher = {};
};

}  // namespace berth::tunnel
