// SPDX-License-Identifier: Apache-2.0
#include "tunnel/carry/carrier.h"

#include "base/files.h"
#include "tunnel/carry/session.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace berth::tunnel {
namespace {

constexpr std::size_t events_per_turn = 256;
constexpr std::size_t buffer_bytes = std::size_t{256} * 1024;
/// Of one session, in one turn.
constexpr int reads_per_turn = 1;
constexpr int batches_per_turn = 8;
constexpr std::chrono::milliseconds look_every{500};
constexpr std::chrono::milliseconds idle_look_every{5'000};

// What epoll gives back: 0, or an address with its kind in the last bit.
constexpr std::uint64_t tag_wake = 0;

/// How long ago the peer's kernel last told that bytes have arrived; for ever where there is no
/// TCP. On a slow line with full queues that is much shorter than how long the peer has said
/// nothing.
std::chrono::milliseconds since_acknowledged(const Fd& socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
        return std::chrono::milliseconds::max();
    }
    return std::chrono::milliseconds(info.tcpi_last_ack_recv);
}

Error silent_for(std::chrono::milliseconds time) {
    return make_error(ErrorCode::timed_out,
                      fmt::format("the other end of the tunnel has given no sign of life for {} s",
                                  std::chrono::duration_cast<std::chrono::seconds>(time).count()));
}

}  // namespace

Carrier::Carrier(CarrierCalls calls, CarrierLimits limits)
    : calls_(std::move(calls)),
      limits_(limits),
      half_closed_(limits.half_closed_max.count()),
      buffer_(buffer_bytes, '\0') {}

Result<std::unique_ptr<Carrier>> Carrier::start(CarrierCalls calls, CarrierLimits limits) {
    std::unique_ptr<Carrier> carrier(new Carrier(std::move(calls), limits));
    BERTH_TRY(carrier->set_up());
    carrier->thread_ = std::thread([&one = *carrier] { one.run(); });
    return carrier;
}

Result<> Carrier::set_up() {
    epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
    wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event event{.events = EPOLLIN, .data = {.u64 = tag_wake}};
    if (!epoll_ || !wake_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
        return fail(system_error("make an event loop for tunnels", errno));
    }
    return {};
}

Carrier::~Carrier() {
    if (!thread_.joinable()) return;
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    (void)::eventfd_write(wake_.get(), 1);
    thread_.join();
}

void Carrier::give(Order order) {
    {
        const std::scoped_lock lock(mutex_);
        orders_.push_back(std::move(order));
        if (orders_.size() > 1) return;  // it is awake
    }
    (void)::eventfd_write(wake_.get(), 1);
}

void Carrier::adopt(SessionId id, Established established) {
    give([this, id, one = std::move(established)]() mutable { begin(id, std::move(one)); });
}

void Carrier::open(SessionId id, StreamOpening opening, Visitor visitor) {
    count_stream();  // from now on, so that nobody misses it who waits for the last one
    give([this, id, opening = std::move(opening), visitor = std::move(visitor)]() mutable {
        begin_stream(id, opening, std::move(visitor));
    });
}

void Carrier::retire(SessionId id) {
    give([this, id] {
        if (Session* const session = find(id)) retire(*session);
    });
}

void Carrier::dismiss_all() {
    give([this] {
        for (const auto& [id, session] : sessions_) {
            if (session->containarium) {
                retire(*session);
            } else {
                session->mux.go_away();
                mark(*session);
            }
        }
    });
}

void Carrier::cut(SessionId id, Error why) {
    give([this, id, why = std::move(why)] {
        if (Session* const session = find(id)) end(*session, why);
    });
}

void Carrier::ping(SessionId id) {
    give([this, id] {
        Session* const session = find(id);
        if (session == nullptr) return;
        session->mux.ping(now_);
        mark(*session);
    });
}

Carrier::Session* Carrier::find(SessionId id) {
    const auto found = sessions_.find(id);
    return found == sessions_.end() ? nullptr : found->second.get();
}

void Carrier::run() {
    std::array<epoll_event, events_per_turn> events{};
    while (true) {
        const auto pause = sessions_.empty() ? idle_look_every : look_every;
        const int wait = marked_.empty() ? static_cast<int>(pause.count()) : 0;
        const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), wait);
        now_ = std::chrono::steady_clock::now();
        for (int at = 0; at < count; ++at) {
            const auto& event = events[static_cast<std::size_t>(at)];
            if (event.data.u64 == tag_wake) {
                eventfd_t woken = 0;
                (void)::eventfd_read(wake_.get(), &woken);
            } else {
                take_event(event.data.u64, event.events);
            }
        }
        if (!take_orders()) break;
        for (const SessionId id : std::exchange(marked_, {})) {
            Session* const session = find(id);
            if (session == nullptr) continue;
            session->marked = false;
            serve(*session);
        }
        if (look_due_ <= now_) look_at_time();
        ferries_over_.clear();
        sessions_over_.clear();
    }
    for (const auto& [id, session] : sessions_) {
        for (const auto& [stream, ferry] : session->ferries) ferry->tell(StreamEnd::How::stopped);
        if (calls_.ended) {
            calls_.ended(id, make_error(ErrorCode::unavailable, "this end stops"), session->sums);
        }
    }
    sessions_.clear();
}

/// False when it is to stop.
bool Carrier::take_orders() {
    std::vector<Order> orders;
    {
        const std::scoped_lock lock(mutex_);
        if (stopping_) return false;
        orders.swap(orders_);
    }
    for (auto& order : orders) order();
    return true;
}

void Carrier::take_event(std::uint64_t tag, std::uint32_t events) {
    const bool in = (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    const bool end = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    const bool out = (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0;
    if ((tag & ferry_bit) == 0) {
        auto* const session = reinterpret_cast<Session*>(tag);  // NOLINT: put there by begin()
        session->readable |= in;
        session->hung |= end;
        session->writable |= out;
        return mark(*session);
    }
    auto* const ferry = reinterpret_cast<Ferry*>(tag & ~ferry_bit);  // NOLINT: by watch()
    if (ferry->stage == Ferry::Stage::over) return;
    ferry->readable |= in;
    ferry->hung |= end;
    ferry->writable |= out;
    ferry->failed |= (events & EPOLLERR) != 0;
    look_again(*ferry);
}

void Carrier::look_at_time() {
    look_due_ = now_ + look_every;
    end_still();
    std::vector<Session*> expired;
    std::vector<std::pair<Session*, Error>> silent;
    const auto now = std::chrono::system_clock::now();
    for (const auto& [id, session] : sessions_) {
        if (session->until && *session->until <= now) {
            expired.push_back(session.get());
        } else if (auto why = silence_of(*session)) {
            silent.emplace_back(session.get(), *std::move(why));
        } else if (session->ping_due <= now_) {
            session->ping_due = now_ + limits_.ping_every;
            session->mux.ping(now_);
            mark(*session);
        } else if (session->mux.look(now_)) {
            mark(*session);
        }
    }
    for (Session* const session : expired) {
        end(*session, make_error(ErrorCode::denied, "its certificate has expired"));
    }
    for (const auto& [session, why] : silent) end(*session, why);
}

/// Why a session is over whose peer has vanished without a word, as one whose power is cut.
std::optional<Error> Carrier::silence_of(const Session& session) const {
    const MuxLimits& limits = limits_.mux;
    const auto since = session.mux.doubted_since();
    const bool doubted = since && now_ - *since > limits.sign_wait_max;
    const bool overdue = session.mux.overdue(now_);
    if (!doubted && !overdue) return std::nullopt;
    const auto quiet = since_acknowledged(session.socket);
    if (overdue && quiet > limits.pong_wait_max) return silent_for(limits.pong_wait_max);
    if (doubted && quiet > limits.sign_wait_max) return silent_for(limits.sign_wait_max);
    return std::nullopt;
}

void Carrier::begin(SessionId id, Established established) {
    const std::string early = std::move(established.early);
    auto made = std::make_unique<Session>(*this, id, std::move(established));
    Session& session = *made;
    sessions_.emplace(id, std::move(made));
    constexpr int on = 1;
    (void)::setsockopt(session.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // What the peer's kernel does not take is no more alive than a peer who does not answer.
    const auto untaken_ms_max = static_cast<unsigned>(limits_.mux.pong_wait_max.count());
    (void)::setsockopt(session.socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &untaken_ms_max,
                       sizeof untaken_ms_max);
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | std::uint32_t{EPOLLET},
                      .data = {.u64 = reinterpret_cast<std::uint64_t>(&session)}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, session.socket.get(), &event) != 0) {
        return end(session, system_error("watch a tunnel", errno));
    }
    session.ping_due = now_ + limits_.ping_every;
    session.mux.ping(now_);
    if (const auto fed = feed(session, early); !fed) return end(session, fed.error());
    mark(session);
}

void Carrier::retire(Session& session) {
    session.retiring = true;
    session.mux.go_away();
    mark(session);
}

void Carrier::mark(Session& session) {
    if (std::exchange(session.marked, true)) return;
    marked_.push_back(session.id);
}

void Carrier::serve(Session& session) {
    auto done = session.readable ? read(session) : Result<>();
    if (done) {
        take_streams(session);
        done = flush(session);
    } else {
        (void)flush(session);  // which may say why
    }
    if (!done) return end(session, done.error());
    if (session.retiring && session.ferries.empty() && session.tls.output().empty()) {
        session.tls.finish();
        (void)flush(session);
        end(session, make_error(ErrorCode::unavailable, "the tunnel was closed"));
    }
}

Result<> Carrier::read(Session& session) {
    for (int turn = 0; turn < reads_per_turn; ++turn) {
        const ssize_t got = ::recv(session.socket.get(), buffer_.data(), buffer_.size(), 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            session.readable = errno == EINTR;
            return {};
        }
        if (got < 0) return fail(system_error("read from the tunnel", errno));
        if (got == 0) return fail(ErrorCode::unavailable, "the other end closed the tunnel");
        plain_.clear();
        const bool goes_on = BERTH_TRY(session.tls.receive(
            std::string_view(buffer_).substr(0, static_cast<std::size_t>(got)), plain_));
        BERTH_TRY(feed(session, plain_));
        if (!goes_on) return fail(ErrorCode::unavailable, "the other end closed the tunnel");
        if (static_cast<std::size_t>(got) < buffer_.size() && !session.hung) {
            session.readable = false;  // it is empty (epoll(7), EPOLLET)
            return {};
        }
    }
    mark(session);  // there may be more, and others come first
    return {};
}

Result<> Carrier::feed(Session& session, std::string_view plain) {
    BERTH_TRY(session.mux.feed(plain, now_));
    if (session.mux.peer_is_going() && !std::exchange(session.left, true) && calls_.leaving) {
        calls_.leaving(session.id);
    }
    return {};
}

Result<> Carrier::flush(Session& session) {
    for (int batch = 0; batch <= batches_per_turn; ++batch) {
        while (!session.tls.output().empty()) {
            if (!session.writable) return {};
            const auto output = session.tls.output();
            const ssize_t sent =
                ::send(session.socket.get(), output.data(), output.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EAGAIN) {
                session.writable = false;
                return {};
            }
            if (sent < 0) return fail(system_error("write to the tunnel", errno));
            session.writable = static_cast<std::size_t>(sent) == output.size();
            session.tls.sent(static_cast<std::size_t>(sent));
        }
        batch_.clear();
        if (session.mux.take(batch_) == 0) {
            session.tls.rest();
            // What was sent has made room, or was the last of a stream.
            if (session.mux.has_changed()) mark(session);
            return {};
        }
        session.tls.send(batch_);
    }
    mark(session);
    return {};
}

void Carrier::end(Session& session, const Error& why) {
    while (!session.ferries.empty()) abort(*session.ferries.begin()->second);
    session.socket.reset();
    const SessionId id = session.id;
    const auto found = sessions_.find(id);
    sessions_over_.push_back(std::move(found->second));
    sessions_.erase(found);
    if (calls_.ended) calls_.ended(id, why, sessions_over_.back()->sums);
}

}  // namespace berth::tunnel
