// SPDX-License-Identifier: Apache-2.0
#include "sentinel/tunnel/tunnel_greeter.h"

#include "base/files.h"
#include "base/log.h"
#include "sentinel/tls/alert.h"
#include "sentinel/tunnel/containarium_hello.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr int greeter_wait_ms_max = 60'000;
constexpr std::int64_t tell_refusals_every_ms = 1'000;
constexpr std::size_t greeter_buffer_bytes = std::size_t{16} * 1024;

std::int64_t milliseconds_now() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

}  // namespace

TunnelGreeter::TunnelGreeter(const tunnel::OwnCertificate& own, const GreeterLimits& limits,
                             AccessLog* access, Hear hear)
    : own_(own),
      access_(access),
      hear_(std::move(hear)),
      arrivals_max_(limits.in_all),
      limits_(RelayOptions{.hellos_max = limits.in_all,
                           .hellos_per_source_max = limits.from_a_source}) {}

Result<std::unique_ptr<TunnelGreeter>> TunnelGreeter::start(const tunnel::OwnCertificate& own,
                                                            const GreeterLimits& limits,
                                                            AccessLog* access, Hear hear) {
    std::unique_ptr<TunnelGreeter> greeter(new TunnelGreeter(own, limits, access, std::move(hear)));
    BERTH_TRY(greeter->reload());
    greeter->epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
    greeter->wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event event{.events = EPOLLIN, .data = {.fd = greeter->wake_.get()}};
    if (!greeter->epoll_ || !greeter->wake_ ||
        ::epoll_ctl(greeter->epoll_.get(), EPOLL_CTL_ADD, greeter->wake_.get(), &event) != 0) {
        return fail(system_error("make an event loop for tunnels", errno));
    }
    greeter->thread_ = std::thread([&one = *greeter] { one.run(); });
    return greeter;
}

TunnelGreeter::~TunnelGreeter() {
    stop();
}

void TunnelGreeter::stop() {
    if (!thread_.joinable()) return;
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    (void)::eventfd_write(wake_.get(), 1);
    thread_.join();
}

Result<> TunnelGreeter::reload() {
    if (own_.certificate.empty()) return {};
    auto context = BERTH_TRY(tunnel::TlsContext::server(own_));
    const std::scoped_lock lock(mutex_);
    context_.swap(context);
    return {};
}

/// Without a place of all, it waits for the thread to make room.
bool TunnelGreeter::take(Fd& host, const SocketAddress& from, std::string_view said) {
    HelloLimits::Place place;
    if (limits_.enter(from, place) == HelloLimits::Refused::source_full) {
        outcomes_.add(HelloOutcome::source_full);
        return false;
    }
    {
        const std::scoped_lock lock(mutex_);
        const bool old = said.starts_with('{');
        if (stopping_ || (!old && !context_) || arrived_.size() >= arrivals_max_) {
            outcomes_.add(HelloOutcome::no_place);
            return false;
        }
        auto guest = std::make_unique<Guest>(
            std::move(host), from, old ? tunnel::Channel() : tunnel::Channel(context_), old);
        guest->place = std::move(place);
        guest->begun_ms = milliseconds_now();
        guest->heard = said;  // until the thread takes it, as TLS
        arrived_.push_back(std::move(guest));
    }
    (void)::eventfd_write(wake_.get(), 1);
    return true;
}

void TunnelGreeter::run() {
    std::array<epoll_event, 64> events{};
    while (true) {
        const std::int64_t now = milliseconds_now();
        const std::int64_t due = deadlines_.due_ms(now + greeter_wait_ms_max) - now;
        const int wait = static_cast<int>(std::clamp<std::int64_t>(due, 0, greeter_wait_ms_max));
        const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), wait);
        for (int at = 0; at < count; ++at) {
            const auto guest = guests_.find(events[static_cast<std::size_t>(at)].data.fd);
            if (guest != guests_.end() && !serve(*guest->second)) guests_.erase(guest);
        }
        end_late();
        eventfd_t woken = 0;
        (void)::eventfd_read(wake_.get(), &woken);
        {
            const std::scoped_lock lock(mutex_);
            if (stopping_) return;
        }
        welcome_new();
    }
}

void TunnelGreeter::end_late() {
    const std::int64_t now = milliseconds_now();
    while (Timed* const late = deadlines_.first_due(now)) end(*late, HelloOutcome::timeout);
}

/// One who has been refused already was counted then.
void TunnelGreeter::end(Timed& timed, HelloOutcome why) {
    const auto& guest = static_cast<Guest&>(timed);  // NOLINT: there are no others
    if (!guest.refused) conclude(guest, why);
    guests_.erase(guest.socket.get());
}

void TunnelGreeter::conclude(const Guest& guest, HelloOutcome how, const std::string& pool,
                             std::optional<tunnel::SessionId> session) {
    outcomes_.add(how);
    if (access_ == nullptr) return;
    const bool opened = how == HelloOutcome::opened;
    access_->put({.ended_at = std::chrono::system_clock::now(),
                  .source = guest.from,
                  .pool = pool,
                  .destination = session ? Destination(TunnelPort{.session = *session, .port = 0})
                                         : Destination(),
                  .outcome = opened ? "tunnel" : "tunnel_refused",
                  .reason = opened ? "" : hello_outcome_names[static_cast<std::size_t>(how)],
                  .duration_ms = milliseconds_now() - guest.begun_ms});
}

void TunnelGreeter::welcome_new() {
    std::vector<std::unique_ptr<Guest>> arrived;
    {
        const std::scoped_lock lock(mutex_);
        arrived.swap(arrived_);
    }
    for (auto& guest : arrived) {
        if (!guest->place && !make_room(*guest)) {
            conclude(*guest, HelloOutcome::no_place);
            const auto record = alert_record(Alert::internal_error);
            if (!guest->containarium) {
                (void)::send(guest->socket.get(), record.data(), record.size(), MSG_NOSIGNAL);
            }
            continue;
        }
        const int socket = guest->socket.get();
        deadlines_.add(*guest, milliseconds_now());
        const std::string said = std::exchange(guest->heard, {});
        if (!guest->channel.receive(said, guest->heard) || !watch(*guest)) {
            conclude(*guest, HelloOutcome::tls);
            (void)send_output(*guest);  // an alert, where TLS was at fault
            continue;
        }
        guests_.emplace(socket, std::move(guest));
    }
}

/// Who has waited longest makes room, so that many who never say theirs cannot keep others out.
/// False when there is none that has had its time.
bool TunnelGreeter::make_room(Guest& guest) {
    auto refused = limits_.enter(guest.from, guest.place);
    while (refused == HelloLimits::Refused::all_full) {
        constexpr std::int64_t age_min = crowded_out_ms_min;
        Timed* const oldest = deadlines_.first_due(milliseconds_now() + hello_ms_max - age_min);
        if (oldest == nullptr) return false;
        end(*oldest, HelloOutcome::crowded_out);
        refused = limits_.enter(guest.from, guest.place);
    }
    return refused == HelloLimits::Refused::no;
}

/// False without kernel memory. `again`: what epoll has told already is told once more.
bool TunnelGreeter::watch(const Guest& guest, bool again) const {
    const int socket = guest.socket.get();
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | std::uint32_t{EPOLLET},
                      .data = {.fd = socket}};
    const int how = again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    return ::epoll_ctl(epoll_.get(), how, socket, &event) == 0;
}

/// False when the greeter has nothing more to do with it.
bool TunnelGreeter::serve(Guest& guest) {
    std::array<char, greeter_buffer_bytes> buffer{};
    for (int turn = 0; turn < reads_per_turn; ++turn) {
        // What comes behind a refusal is read too, since a close before would be a reset.
        if (guest.refused) {
            guest.heard.clear();
        } else if (!hear(guest)) {
            return false;
        }
        const ssize_t got = ::recv(guest.socket.get(), buffer.data(), buffer.size(), 0);
        if (got == 0) {
            if (!guest.refused) conclude(guest, HelloOutcome::left_early);
            return false;
        }
        if (got < 0) return errno == EAGAIN && send_output(guest);
        const auto received =
            guest.channel.receive({buffer.data(), static_cast<std::size_t>(got)}, guest.heard);
        if (!received || !*received) {
            if (!guest.refused) {
                conclude(guest, received ? HelloOutcome::left_early : HelloOutcome::tls);
            }
            (void)send_output(guest);
            return false;
        }
    }
    return send_output(guest) && watch(guest, true);
}

/// False when it has been taken over.
bool TunnelGreeter::hear(Guest& guest) {
    const auto refuse = [this, &guest](const Error& why, const std::string& pool = "") {
        conclude(guest, outcome_of(why), pool);
        tell_refusal(guest, why);
        guest.refused = true;
        guest.channel.send(guest.containarium ? containarium_answer(why)
                                              : encode(tunnel::HelloAnswer{.error = why}));
        guest.channel.finish();
        return true;
    };
    const auto hello =
        guest.containarium ? read_containarium_hello(guest.heard) : tunnel::read_hello(guest.heard);
    if (!hello) return refuse(hello.error());
    if (!*hello) return true;
    // Who takes it over watches it, and may have closed it before this returns.
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, guest.socket.get(), nullptr);
    const auto heard = hear_({.socket = guest.socket,
                              .channel = guest.channel,
                              .from = guest.from,
                              .early = std::string_view(guest.heard).substr((*hello)->bytes),
                              .containarium = guest.containarium},
                             (*hello)->value);
    if (heard) conclude(guest, HelloOutcome::opened, (*hello)->value.pool, *heard);
    return !heard && watch(guest) && refuse(heard.error(), (*hello)->value.pool);
}

/// Not each: who is refused may come again at once, and others with it.
void TunnelGreeter::tell_refusal(const Guest& guest, const Error& why) {
    const std::int64_t now = milliseconds_now();
    if (told_ms_ != 0 && now - told_ms_ < tell_refusals_every_ms) return;
    told_ms_ = now;
    log::info("a tunnel is refused", {{"from", guest.from.to_string()}, {"why", why.message}});
}

bool TunnelGreeter::send_output(Guest& guest) {
    while (!guest.channel.output().empty()) {
        const auto output = guest.channel.output();
        const ssize_t sent = ::send(guest.socket.get(), output.data(), output.size(), MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN;
        guest.channel.sent(static_cast<std::size_t>(sent));
    }
    if (guest.refused) (void)::shutdown(guest.socket.get(), SHUT_WR);
    return true;
}

}  // namespace berth::sentinel
