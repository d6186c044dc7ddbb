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

std::int64_t to_ms(Moment moment) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(moment.time_since_epoch()).count();
}

}  // namespace

void Carrier::begin_stream(SessionId id, const StreamOpening& opening, Visitor visitor) {
    Session* const session = find(id);
    const auto stream = session == nullptr || session->retiring
                            ? fail(ErrorCode::unavailable, "the tunnel is gone")
                            : session->mux.open();
    if (!stream) {
        using enum StreamEnd::How;
        streams_.fetch_sub(1, std::memory_order_relaxed);
        const bool is_full = stream.error().code == ErrorCode::busy;
        // Its numbers are spent: the host is to come with another session.
        if (session != nullptr && !is_full) retire(*session);
        if (visitor.watcher) visitor.watcher->over({.how = is_full ? full : refused});
        return refuse(visitor.socket, visitor.refusal);
    }
    session->mux.expect(now_);
    (void)session->mux.write(*stream,
                             session->containarium ? encode_port(opening.port) : encode(opening));
    ++session->sums.streams;
    count_from_socket(*session, visitor.said.size());
    auto made = std::make_unique<Ferry>(*session, *stream, Ferry::Stage::carrying);
    Ferry& ferry = *made;
    ferry.readable = ferry.writable = true;
    ferry.socket = std::move(visitor.socket);
    ferry.said = std::move(visitor.said);
    ferry.refusal = std::move(visitor.refusal);
    ferry.watcher = std::move(visitor.watcher);
    session->ferries.emplace(*stream, std::move(made));
    watch(ferry);
    session->ready.push_back(*stream);
    mark(*session);
}

void Carrier::count_stream() {
    streams_.fetch_add(1, std::memory_order_relaxed);
    streams_total_.fetch_add(1, std::memory_order_relaxed);
}

void Carrier::count_from_socket(Session& session, std::size_t bytes) {
    session.sums.bytes_from_sockets += bytes;
    bytes_from_sockets_.fetch_add(bytes, std::memory_order_relaxed);
}

void Carrier::take_streams(Session& session) {
    while (const auto id = session.mux.accept()) {
        if (!calls_.target) {
            session.mux.close(*id);  // nothing is to be reached here
            continue;
        }
        session.ferries.emplace(*id, std::make_unique<Ferry>(session, *id, Ferry::Stage::opening));
        count_stream();
        ++session.sums.streams;
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
    if (!go_on(ferry)) abort(ferry);
}

/// False when it is over before its time.
bool Carrier::go_on(Ferry& ferry) {
    Mux& mux = ferry.session.mux;
    if (mux.was_reset(ferry.id) || ferry.failed) return false;
    if (ferry.stage == Ferry::Stage::opening) return read_opening_of(ferry);
    if (ferry.stage == Ferry::Stage::connecting) {
        if (!ferry.writable) return true;
        ferry.stage = Ferry::Stage::carrying;
    }
    if (!to_socket(ferry) || !to_stream(ferry)) return false;
    if (ferry.shut && ferry.end_read && mux.over(ferry.id)) {
        mux.close(ferry.id);
        ferry.tell(StreamEnd::How::ended);
        remove(ferry);
    } else if (ferry.watcher && ferry.shut != ferry.end_read && !ferry.is_waiting()) {
        ferry.moved = false;
        half_closed_.add(ferry, to_ms(now_));
    }
    return true;
}

/// Those of whom one direction has ended, and nothing has moved for long in the other.
void Carrier::end_still() {
    while (Timed* const still = half_closed_.first_due(to_ms(now_))) {
        auto& ferry = static_cast<Ferry&>(*still);  // NOLINT: there are no others
        if (std::exchange(ferry.moved, false)) {
            half_closed_.add(ferry, to_ms(now_));
        } else {
            mark(ferry.session);  // its peer is told
            abort(ferry);
        }
    }
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

/// It gets its turn, behind what is being done.
void Carrier::look_again(Ferry& ferry) {
    ferry.session.ready.push_back(ferry.id);
    mark(ferry.session);
}

/// What has waited for the socket; all else is put there as it comes. False when it was reset.
bool Carrier::to_socket(Ferry& ferry) {
    Mux& mux = ferry.session.mux;
    for (std::size_t moved = 0; ferry.writable;) {
        const auto bytes = mux.received(ferry.id);
        if (bytes.empty()) break;
        if (moved >= bytes_per_turn) {
            look_again(ferry);
            break;
        }
        if (calls_.begun && !std::exchange(ferry.heard, true)) {
            calls_.begun(ferry.session.id, bytes);
        }
        const std::size_t sent = send(ferry, bytes.substr(0, bytes_per_turn));
        if (ferry.failed) return false;
        moved += sent;
        mux.consume(ferry.id, sent, now_);
    }
    if (mux.ended(ferry.id) && !std::exchange(ferry.shut, true)) {
        // When nothing is left either way, closing it says so.
        if (!mux.over(ferry.id)) (void)::shutdown(ferry.socket.get(), SHUT_WR);
    }
    return true;
}

/// The same of the other direction. Bytes stay with the kernel until they can be sent.
bool Carrier::to_stream(Ferry& ferry) {
    Mux& mux = ferry.session.mux;
    if (!ferry.said.empty()) {
        ferry.said.erase(0, mux.write(ferry.id, ferry.said));
        if (!ferry.said.empty()) return true;
        std::string().swap(ferry.said);
    }
    if (ferry.readable && !ferry.end_read) {
        mux.offer(ferry.id);
        mux.expect(now_);
    }
    if (ferry.end_read && (!ferry.session.containarium || ferry.shut)) mux.finish(ferry.id);
    return !ferry.failed;
}

std::size_t Carrier::Session::put(StreamId stream, std::string_view bytes) {
    const auto found = ferries.find(stream);
    if (found == ferries.end()) return 0;
    Ferry& ferry = *found->second;
    if (ferry.stage != Ferry::Stage::carrying || !ferry.writable) return 0;
    const std::size_t sent = carrier.send(ferry, bytes);
    if (ferry.failed) carrier.look_again(ferry);
    return sent;
}

std::size_t Carrier::Session::get(StreamId stream, char* to, std::size_t bytes_max) {
    const auto found = ferries.find(stream);
    if (found == ferries.end()) return 0;
    Ferry& ferry = *found->second;
    const std::size_t got = carrier.receive(ferry, to, bytes_max);
    // Its end or failure, or what came together with that.
    if (got < bytes_max && (ferry.readable || ferry.failed)) carrier.look_again(ferry);
    return got;
}

/// How many of them the socket takes.
std::size_t Carrier::send(Ferry& ferry, std::string_view bytes) {
    if (!std::exchange(ferry.heard, true) && ferry.watcher) ferry.watcher->heard();
    const ssize_t sent = ::send(ferry.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) {
        ferry.writable = false;
        ferry.failed |= !would_block();
        return 0;
    }
    const auto count = static_cast<std::size_t>(sent);
    // A write that came short has filled it (epoll(7), EPOLLET).
    ferry.writable = count == bytes.size();
    ferry.moved = true;
    ferry.to_socket += count;
    ferry.session.sums.bytes_to_sockets += count;
    bytes_to_sockets_.fetch_add(count, std::memory_order_relaxed);
    return count;
}

/// How many there are, up to so many.
std::size_t Carrier::receive(Ferry& ferry, char* to, std::size_t bytes_max) {
    if (!ferry.readable || ferry.end_read || ferry.failed) return 0;
    const ssize_t got = ::recv(ferry.socket.get(), to, bytes_max, 0);
    if (got < 0) {
        ferry.readable = false;
        ferry.failed |= !would_block();
        return 0;
    }
    const auto count = static_cast<std::size_t>(got);
    if (count == 0) ferry.end_read = true;
    // A read that came short has emptied it (epoll(7), EPOLLET).
    if (count < bytes_max && !ferry.hung) ferry.readable = count == 0;
    ferry.moved = true;
    ferry.from_socket += count;
    count_from_socket(ferry.session, count);
    return count;
}

/// Ends a stream before its time. The socket's other end is told, by a reset where it has heard
/// something.
void Carrier::abort(Ferry& ferry) {
    ferry.session.mux.close(ferry.id);
    const bool refused = !ferry.heard && !ferry.refusal.empty() && !ferry.end_read && !ferry.failed;
    ferry.tell(refused ? StreamEnd::How::refused : StreamEnd::How::reset);
    if (refused) {
        refuse(ferry.socket, ferry.refusal);
    } else if (ferry.socket) {
        constexpr linger at_once{.l_onoff = 1, .l_linger = 0};  // socket(7), SO_LINGER
        (void)::setsockopt(ferry.socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    remove(ferry);
}

void Carrier::refuse(const Fd& socket, std::string_view refusal) {
    (void)::send(socket.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL);
    (void)::shutdown(socket.get(), SHUT_WR);
    // A close with bytes unread would be a reset, which may overtake the refusal.
    for (int turn = 0; turn < drains_max; ++turn) {
        if (::recv(socket.get(), buffer_.data(), buffer_.size(), 0) <= 0) break;
    }
}

void Carrier::remove(Ferry& ferry) {
    ferry.stage = Ferry::Stage::over;
    ferry.leave();
    ferry.socket.reset();
    const auto found = ferry.session.ferries.find(ferry.id);
    ferries_over_.push_back(std::move(found->second));
    ferry.session.ferries.erase(found);
    streams_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace berth::tunnel
