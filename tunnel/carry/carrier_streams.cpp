// SPDX-License-Identifier: Apache-2.0
// One stream and one socket: bytes, ends and resets, both ways. What the one does not take is not
// read from the other.
#include "base/files.h"
#include "tunnel/carry/carrier.h"
#include "tunnel/carry/session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace berth::tunnel {
namespace {

/// Of one stream, each way, in one turn.
constexpr std::size_t bytes_per_turn = std::size_t{256} * 1024;
constexpr int syn_retries = 3;  // 15 s in all
constexpr int drains_max = 16;

std::string encode_port(std::uint16_t port) {
    return {static_cast<char>(port >> 8U), static_cast<char>(port & 0xffU)};
}

bool would_block() {
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

}  // namespace

void Carrier::begin_stream(SessionId id, const StreamOpening& opening, Fd socket,
                           std::shared_ptr<Link> link, std::string refusal) {
    Session* const session = find(id);
    const auto stream = session == nullptr || session->retiring
                            ? fail(ErrorCode::unavailable, "the tunnel is gone")
                            : session->mux.open();
    if (!stream) {
        (void)::send(socket.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL);
        return;
    }
    (void)session->mux.write(*stream,
                             session->containarium ? encode_port(opening.port) : encode(opening));
    auto made = std::make_unique<Ferry>(Ferry{.session = *session,
                                              .id = *stream,
                                              .readable = true,
                                              .writable = true,
                                              .socket = std::move(socket),
                                              .link = std::move(link),
                                              .refusal = std::move(refusal)});
    Ferry& ferry = *made;
    session->ferries.emplace(*stream, std::move(made));
    count_stream();
    watch(ferry);
    session->ready.push_back(*stream);
    mark(*session);
}

void Carrier::count_stream() {
    streams_.fetch_add(1, std::memory_order_relaxed);
    streams_total_.fetch_add(1, std::memory_order_relaxed);
}

void Carrier::take_streams(Session& session) {
    while (const auto id = session.mux.accept()) {
        if (!calls_.target) {
            session.mux.close(*id);  // nothing is to be reached here
            continue;
        }
        session.ferries.emplace(
            *id, std::make_unique<Ferry>(
                     Ferry{.session = session, .id = *id, .stage = Ferry::Stage::opening}));
        count_stream();
        session.ready.push_back(*id);
    }
    const auto attend_to = [&](StreamId id) {
        const auto ferry = session.ferries.find(id);
        if (ferry != session.ferries.end()) attend(*ferry->second);
    };
    while (const auto id = session.mux.next_changed()) attend_to(*id);
    for (const StreamId id : std::exchange(session.ready, {})) attend_to(id);
}

void Carrier::attend(Ferry& ferry) {
    if (go_on(ferry)) return;
    was_reset(ferry);
    ferry.session.mux.close(ferry.id);
    remove(ferry);
}

/// False when it is over before its time.
bool Carrier::go_on(Ferry& ferry) {
    Mux& mux = ferry.session.mux;
    if (mux.was_reset(ferry.id) || ferry.failed) return false;
    if (ferry.link && ferry.link->reset_by_front) return false;
    if (ferry.stage == Ferry::Stage::opening) return read_opening_of(ferry);
    if (ferry.stage == Ferry::Stage::connecting) {
        if (!ferry.writable) return true;
        ferry.stage = Ferry::Stage::carrying;
    }
    if (!to_socket(ferry) || !to_stream(ferry)) return false;
    if (ferry.shut && ferry.end_read && mux.over(ferry.id)) {
        mux.close(ferry.id);
        remove(ferry);
    }
    return true;
}

bool Carrier::read_opening_of(Ferry& ferry) {
    Mux& mux = ferry.session.mux;
    const OpeningRead read = read_opening(mux.received(ferry.id));
    if (read.state == OpeningState::need_more) return !mux.ended(ferry.id);
    if (read.state == OpeningState::wrong) return false;
    mux.consume(ferry.id, read.bytes, now_);
    const auto target = calls_.target(ferry.session.id, read.opening);
    return target && connect(ferry, *target);
}

bool Carrier::connect(Ferry& ferry, const SocketAddress& target) {
    const KernelAddress address = target.to_kernel();
    ferry.socket =
        Fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!ferry.socket) return false;
    constexpr int on = 1;
    const int socket = ferry.socket.get();
    (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)::setsockopt(socket, IPPROTO_TCP, TCP_SYNCNT, &syn_retries, sizeof syn_retries);
    const bool at_once = ::connect(socket, address.get(), address.size) == 0;
    if (!at_once && errno != EINPROGRESS) return false;
    ferry.stage = Ferry::Stage::connecting;
    watch(ferry);
    return true;
}

void Carrier::watch(Ferry& ferry) {
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | std::uint32_t{EPOLLET},
                      .data = {.u64 = reinterpret_cast<std::uint64_t>(&ferry) | ferry_bit}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, ferry.socket.get(), &event) != 0) {
        ferry.failed = true;  // without kernel memory
        ferry.session.ready.push_back(ferry.id);
    }
}

/// False when the socket was reset.
bool Carrier::to_socket(Ferry& ferry) {
    Mux& mux = ferry.session.mux;
    for (std::size_t moved = 0; ferry.writable;) {
        const auto bytes = mux.received(ferry.id);
        if (bytes.empty()) break;
        if (moved >= bytes_per_turn) {
            ferry.session.ready.push_back(ferry.id);
            mark(ferry.session);
            return true;
        }
        if (!std::exchange(ferry.heard, true) && calls_.begun) {
            calls_.begun(ferry.session.id, bytes);
        }
        const std::size_t some = std::min(bytes.size(), bytes_per_turn);
        const ssize_t sent = ::send(ferry.socket.get(), bytes.data(), some, MSG_NOSIGNAL);
        if (sent < 0) {
            ferry.writable = false;
            return would_block();
        }
        // A write that came short has filled it (epoll(7), EPOLLET).
        ferry.writable = static_cast<std::size_t>(sent) == some;
        moved += static_cast<std::size_t>(sent);
        bytes_to_sockets_.fetch_add(static_cast<std::size_t>(sent), std::memory_order_relaxed);
        mux.consume(ferry.id, static_cast<std::size_t>(sent), now_);
    }
    if (mux.ended(ferry.id) && !std::exchange(ferry.shut, true)) {
        // When nothing is left either way, closing it says so.
        if (!mux.over(ferry.id)) (void)::shutdown(ferry.socket.get(), SHUT_WR);
        if (ferry.end_read) mux.finish(ferry.id);  // where it had to wait for this
    }
    return true;
}

/// The same.
bool Carrier::to_stream(Ferry& ferry) {
    Mux& mux = ferry.session.mux;
    for (std::size_t moved = 0; ferry.readable && !ferry.end_read;) {
        const std::size_t room = std::min(mux.room(ferry.id), buffer_.size());
        if (room == 0) {
            mux.await_room(ferry.id);
            return true;
        }
        if (moved >= bytes_per_turn) {
            ferry.session.ready.push_back(ferry.id);
            mark(ferry.session);
            return true;
        }
        const ssize_t got = ::recv(ferry.socket.get(), buffer_.data(), room, 0);
        if (got < 0) {
            ferry.readable = false;
            return would_block();
        }
        if (got == 0) {
            // A reset of the front's looks like an end here, but for its flag.
            if (ferry.link && ferry.link->reset_by_front) return false;
            ferry.end_read = true;
            if (!ferry.session.containarium || ferry.shut) mux.finish(ferry.id);
            break;
        }
        moved += static_cast<std::size_t>(got);
        bytes_from_sockets_.fetch_add(static_cast<std::size_t>(got), std::memory_order_relaxed);
        (void)mux.write(ferry.id,
                        std::string_view(buffer_).substr(0, static_cast<std::size_t>(got)));
        // A read that came short has emptied it (epoll(7), EPOLLET).
        if (static_cast<std::size_t>(got) < room && !ferry.hung) ferry.readable = false;
    }
    return true;
}

/// Tells the socket's other end, by a reset where it has heard something.
void Carrier::was_reset(Ferry& ferry) {
    if (!ferry.socket) return;
    if (ferry.link && !ferry.heard && !ferry.refusal.empty() && !ferry.end_read) {
        // Closed with bytes unread, it would look like a reset, which may overtake the refusal.
        for (int turn = 0; turn < drains_max; ++turn) {
            if (::recv(ferry.socket.get(), buffer_.data(), buffer_.size(), 0) <= 0) break;
        }
        (void)::send(ferry.socket.get(), ferry.refusal.data(), ferry.refusal.size(), MSG_NOSIGNAL);
    } else if (ferry.link) {
        ferry.link->reset_by_tunnel = true;
    } else {
        constexpr linger at_once{.l_onoff = 1, .l_linger = 0};  // socket(7), SO_LINGER
        (void)::setsockopt(ferry.socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    ferry.socket.reset();
}

void Carrier::remove(Ferry& ferry) {
    ferry.stage = Ferry::Stage::over;
    ferry.socket.reset();
    const auto found = ferry.session.ferries.find(ferry.id);
    ferries_over_.push_back(std::move(found->second));
    ferry.session.ferries.erase(found);
    streams_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace berth::tunnel
