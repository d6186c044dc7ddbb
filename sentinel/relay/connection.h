// SPDX-License-Identifier: Apache-2.0
// A client's connection and the one to its pool. While nothing moves it holds two sockets and this.
#pragma once

#include "base/deadline_list.h"
#include "base/fd.h"
#include "sentinel/access/access.h"
#include "sentinel/relay/destination_limits.h"
#include "sentinel/relay/greeting.h"
#include "sentinel/relay/hello_limits.h"
#include "sentinel/relay/pipe_pool.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace berth::sentinel {

enum class Stage : std::uint8_t {
    hello,       // the client's first bytes are read
    waiting,     // for the tunnel of its host, after a start
    connecting,  // to the pool's primary
    relaying,
    over,  // its sockets are closed; what still refers to it does nothing
};

/// Bytes that a socket did not take yet.
struct Rest {
    std::string bytes;
    std::size_t sent = 0;
};

/// One of the two sockets, and what is on its way to it. Readiness is remembered, since epoll tells
/// it once (EPOLLET).
struct Side {
    Fd socket;
    std::uint32_t watched = 0;  // what epoll tells of it
    bool readable = false;
    bool writable = false;
    bool hung = false;            // the peer's end was announced, and comes behind its last byte
    bool ended = false;           // the peer's end was read
    bool shut = false;            // the other's end was passed on to it
    std::uint8_t full_reads = 0;  // from it, one after the other
    std::uint32_t in_pipe = 0;    // bytes for it
    std::uint32_t took = 0;       // bytes out of the pipe, since its time was last looked at
    Pipe pipe;
    std::unique_ptr<Rest> rest;

    [[nodiscard]] bool owed() const noexcept { return in_pipe > 0 || rest != nullptr; }
};

/// What is needed until both ends are connected, where that takes more than a moment.
struct Opening {
    Greeting greeting;
    HelloLimits::Place place = {};
    std::string bytes = {};
    std::string pool = {};
    std::size_t header_bytes = 0;  // ours, in front of what the client said to the pool
};

struct Connection;

/// Its time is up when a pipe that it has lent is looked at.
struct Loan : Timed {
    explicit Loan(Connection& connection) : of(connection) {}
    Connection& of;
};

struct Connection : Timed {
    Side client, primary;
    Loan loan = Loan(*this);
    std::unique_ptr<Opening> opening;
    std::unique_ptr<Access> access;  // where there is a log of them
    std::int64_t begun_ms = 0;
    std::uint64_t registration = 0;  // of the host that it was led to; 0: none
    std::uint32_t index = 0;         // among its loop's
    DestinationLimits::Slot destination = DestinationLimits::none;
    Stage stage = Stage::hello;
    bool ssh = false;    // it is no TLS, and so gets no alert
    bool again = false;  // it waits for its next turn
    bool half_closed = false;
    bool heard = false;    // a byte of the primary's
    bool silence = false;  // its client had none of it when it ended, and that was reported
    bool moved = false;    // a byte, since its time was last looked at
};

}  // namespace berth::sentinel
