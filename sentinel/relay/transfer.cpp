// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/transfer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr unsigned splice_flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

}  // namespace

Progress Transfer::carry(Connection& connection, Side& from, Side& to) {
    flow_ = &from == &connection.client ? Flow::from_client : Flow::to_client;
    for (int turn = 0; turn < reads_per_turn; ++turn) {
        if (to.owed()) {
            if (!to.writable) return Progress::waiting;
            connection.moved = true;
            const Flushed flushed = flush(to);
            if (flushed == Flushed::failed) return Progress::failed;
            if (flushed == Flushed::blocked) return Progress::waiting;
        }
        if (from.ended) {
            put_pipe_away(to);
            // When both have ended, closing them says so.
            if (!to.shut && !from.shut) (void)::shutdown(to.socket.get(), SHUT_WR);
            to.shut = true;
            return Progress::waiting;
        }
        if (!from.readable || !to.writable) {
            put_pipe_away(to);
            return Progress::waiting;
        }
        const std::uint64_t taken = bytes(flow_);
        if (!take_once(from, to)) return Progress::failed;
        if (bytes(flow_) != taken) connection.moved = true;
    }
    return Progress::again;
}

bool Transfer::take_once(Side& from, Side& to) {
    if (from.full_reads < full_reads_before_pipe) {
        put_pipe_away(to);
    } else if (!to.pipe) {
        to.pipe = pipes_.take();
        if (!to.pipe) from.full_reads = 0;
    }
    return to.pipe ? splice_once(from, to) : read_once(from, to);
}

// Both reads return false when a side was reset. A read that came short has emptied the socket
// (epoll(7), EPOLLET), unless its end is known to be behind.
bool Transfer::read_once(Side& from, Side& to) {
    const ssize_t got = ::recv(from.socket.get(), buffer_->data(), buffer_bytes, 0);
    if (got < 0) {
        from.readable = false;
        return would_block();
    }
    if (got == 0) {
        from.ended = true;
        return true;
    }
    const auto bytes = static_cast<std::size_t>(got);
    add_bytes(flow_, bytes);
    if (bytes == buffer_bytes) {
        if (from.full_reads < full_reads_before_pipe) ++from.full_reads;
    } else {
        from.full_reads = 0;
        if (!from.hung) from.readable = false;
    }
    return send_or_keep(to, {buffer_->data(), bytes});
}

bool Transfer::splice_once(Side& from, Side& to) {
    const ssize_t got = ::splice(from.socket.get(), nullptr, to.pipe.input.get(), nullptr,
                                 PipePool::pipe_bytes, splice_flags);
    if (got < 0) {
        from.readable = false;
        return would_block();
    }
    if (got == 0) from.ended = true;
    if (got < bulk_bytes_min) from.full_reads = 0;
    add_bytes(flow_, static_cast<std::size_t>(got));
    to.in_pipe += static_cast<std::uint32_t>(got);
    return true;
}

Transfer::Flushed Transfer::flush(Side& to) {
    while (to.rest != nullptr) {
        Rest& rest = *to.rest;
        const ssize_t sent = ::send(to.socket.get(), rest.bytes.data() + rest.sent,
                                    rest.bytes.size() - rest.sent, MSG_NOSIGNAL);
        if (sent < 0) {
            to.writable = false;
            return would_block() ? Flushed::blocked : Flushed::failed;
        }
        rest.sent += static_cast<std::size_t>(sent);
        if (rest.sent == rest.bytes.size()) to.rest.reset();
    }
    while (to.in_pipe > 0) {
        const ssize_t sent = ::splice(to.pipe.output.get(), nullptr, to.socket.get(), nullptr,
                                      to.in_pipe, splice_flags);
        if (sent <= 0) {
            to.writable = false;
            return sent < 0 && would_block() ? Flushed::blocked : Flushed::failed;
        }
        to.in_pipe -= static_cast<std::uint32_t>(sent);
        to.took += static_cast<std::uint32_t>(sent);
    }
    return Flushed::all;
}

bool Transfer::send_or_keep(Side& to, std::string_view bytes) {
    const ssize_t sent = ::send(to.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && !would_block()) return false;
    const auto taken = static_cast<std::size_t>(sent < 0 ? 0 : sent);
    if (taken == bytes.size()) return true;
    to.rest = std::make_unique<Rest>(Rest{.bytes = std::string(bytes.substr(taken))});
    to.writable = false;
    return true;
}

void Transfer::drop(Side& to) {
    pipes_.give_back(std::exchange(to.pipe, {}), to.in_pipe == 0);
    to.in_pipe = 0;
    to.rest.reset();
}

bool Transfer::reclaim(Connection& connection) {
    Side& client = connection.client;
    Side& primary = connection.primary;
    for (auto& [from, to] : {std::pair<Side&, Side&>{client, primary}, {primary, client}}) {
        if (std::exchange(to.took, 0) >= loan_bytes_min || to.in_pipe == 0) continue;
        empty_pipe(to);
        from.full_reads = 0;
    }
    return client.in_pipe > 0 || primary.in_pipe > 0;
}

/// Nothing else is kept for a side that has bytes in a pipe.
void Transfer::empty_pipe(Side& to) {
    auto rest = std::make_unique<Rest>(Rest{.bytes = std::string(to.in_pipe, '\0')});
    const ssize_t got = ::read(to.pipe.output.get(), rest->bytes.data(), rest->bytes.size());
    if (got != static_cast<ssize_t>(to.in_pipe)) return;
    to.rest = std::move(rest);
    to.in_pipe = 0;
    put_pipe_away(to);
}

void Transfer::put_pipe_away(Side& to) {
    if (to.pipe && to.in_pipe == 0) pipes_.give_back(std::exchange(to.pipe, {}), true);
}

}  // namespace berth::sentinel
