// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/loop.h"

#include "base/files.h"
#include "base/keepalive.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <limits>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr std::size_t events_per_turn = 512;
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t wait_ms_max = 60'000;
constexpr std::int64_t silence_ms_min = 1'000;
/// How often it is looked whether a tunnel is back that somebody waits for.
constexpr std::int64_t look_again_ms = 50;
/// Most connections are over before it matters whether their peers are alive.
constexpr std::int64_t young_ms = 1'000;

// What epoll gives back: a connection's address with its side in the last bit, or a small number,
// which no address is.
constexpr std::uint64_t tags_of_doors = 4096;
static_assert(alignof(Connection) >= 2);

std::int64_t monotonic_ms() {
    timespec time{};
    (void)::clock_gettime(CLOCK_MONOTONIC, &time);
    return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

}  // namespace

void close_with_reset(Fd& socket) noexcept {
    constexpr linger at_once{.l_onoff = 1, .l_linger = 0};  // socket(7), SO_LINGER
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket.reset();
}

Loop::Loop(const RelayParts& parts, std::vector<Door> doors)
    : parts_(parts),
      doors_(std::move(doors)),
      reader_(parts.routes),
      transfer_(parts.options.pipes_max),
      hellos_(parts.options.hello_timeout.count()),
      waiting_(look_again_ms),
      connects_(parts.options.connect_timeout.count()),
      young_(young_ms),
      half_closed_(parts.options.half_closed_timeout.count()),
      loans_(Transfer::loan_ms) {}

Result<std::unique_ptr<Loop>> Loop::make(const RelayParts& parts, std::vector<Door> doors) {
    std::unique_ptr<Loop> loop(new Loop(parts, std::move(doors)));
    BERTH_TRY(loop->set_up());
    return loop;
}

Result<> Loop::set_up() {
    epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
    stop_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    spare_ = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!epoll_ || !stop_ || !spare_) return fail(system_error("make an event loop", errno));
    epoll_event event{.events = EPOLLIN, .data = {.u64 = tag_stop}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), &event) != 0) {
        return fail(system_error("watch for the end", errno));
    }
    watch_doors(true);
    if (!doors_open_) return fail(system_error("watch for clients", errno));
    return {};
}

void Loop::stop() noexcept {
    order_ = Order::stop;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
}

void Loop::drain(bool queued) noexcept {
    order_ = queued ? Order::drain_queued : Order::drain;
    (void)::eventfd_write(stop_.get(), 1);
}

void Loop::run() {
    std::array<epoll_event, events_per_turn> events{};
    now_ms_ = monotonic_ms();
    tunnels_back_ms_ = now_ms_ + parts_.options.tunnels_back.count();
    while (!stopping_) {
        const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), wait_ms());
        now_ms_ = monotonic_ms();
        for (int at = 0; at < count; ++at) {
            const auto& event = events[static_cast<std::size_t>(at)];
            take_event(event.data.u64, event.events);
        }
        take_turns();
        end_late();
        ended_.clear();
        if (draining_ && connections_.empty()) stopping_ = true;
    }
    doors_.clear();
    again_.clear();
    for (const auto& connection : connections_) tell(*connection, "stopped");
    connections_.clear();
    open_ = 0;
    over_ = true;
}

int Loop::wait_ms() {
    if (!again_.empty()) return 0;
    std::int64_t due =
        std::min({hellos_.due_ms(never), waiting_.due_ms(never), connects_.due_ms(never),
                  young_.due_ms(never), half_closed_.due_ms(never), loans_.due_ms(never),
                  now_ms_ + wait_ms_max});
    if (!doors_open_) due = std::min(due, doors_rest_until_ms_);
    return static_cast<int>(std::max<std::int64_t>(due - now_ms_, 0));
}

void Loop::take_event(std::uint64_t tag, std::uint32_t events) {
    if (tag == tag_stop) {
        take_order();
    } else if (tag < tags_of_doors) {
        if (!draining_) accept_some(doors_[tag - tag_first_door]);
    } else {
        constexpr std::uint64_t side_bit = 1;
        // NOLINTNEXTLINE: put there by watch()
        auto* const connection = reinterpret_cast<Connection*>(tag & ~side_bit);
        on_event(*connection, (tag & side_bit) != 0, events);
    }
}

void Loop::on_event(Connection& connection, bool primary, std::uint32_t events) {
    if (connection.stage == Stage::over) return;
    Side& side = primary ? connection.primary : connection.client;
    if ((events & EPOLLERR) != 0) {
        if (connection.stage == Stage::relaying) return abort(connection, Count::reset);
        if (!primary) return abort(connection, Count::left_early);
        int problem = 0;
        socklen_t size = sizeof problem;
        (void)::getsockopt(side.socket.get(), SOL_SOCKET, SO_ERROR, &problem, &size);
        return give_up_dialling(connection, problem);
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0) side.readable = true;
    if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0) side.hung = true;
    if ((events & EPOLLOUT) != 0) side.writable = true;
    if (connection.stage == Stage::hello) {
        if (side.readable) listen_to(connection, connection.opening->greeting);
    } else if (connection.stage == Stage::connecting) {
        if (primary && side.writable) connected(connection);
    } else if (connection.stage == Stage::relaying) {
        relay(connection);
    }
}

void Loop::relay(Connection& connection) {
    Side& client = connection.client;
    Side& primary = connection.primary;
    const std::uint64_t from_client = transfer_.bytes(Flow::from_client);
    const std::uint64_t to_client = transfer_.bytes(Flow::to_client);
    const Progress up = transfer_.carry(connection, client, primary);
    const Progress down =
        up == Progress::failed ? up : transfer_.carry(connection, primary, client);
    if (!connection.heard && transfer_.bytes(Flow::to_client) != to_client) {
        connection.heard = true;
        if (parts_.reports != nullptr) parts_.reports->answered(connection.registration);
    }
    if (connection.access) {
        connection.access->bytes_from_client += transfer_.bytes(Flow::from_client) - from_client;
        connection.access->bytes_to_client += transfer_.bytes(Flow::to_client) - to_client;
    }
    if (down == Progress::failed) return abort(connection, Count::reset);
    if (client.shut && primary.shut) return end(connection, Count::ended);
    watch(connection, client);
    watch(connection, primary);
    // From then on it may not stand still for long, and so needs no keepalive.
    if (client.shut != primary.shut && !std::exchange(connection.half_closed, true)) {
        connection.moved = false;
        if (primary.shut) report_silence(connection);
        half_closed_.add(connection, now_ms_);
    }
    if ((client.in_pipe > 0 || primary.in_pipe > 0) && !connection.loan.is_waiting()) {
        client.took = primary.took = 0;
        loans_.add(connection.loan, now_ms_);
    }
    if ((up == Progress::again || down == Progress::again) && !connection.again) {
        connection.again = true;
        again_.push_back(&connection);
    }
}

void Loop::take_turns() {
    const auto now = std::exchange(again_, {});
    for (Connection* const connection : now) {
        connection->again = false;
        if (connection->stage == Stage::relaying) relay(*connection);
    }
}

// What is due is taken from the front only, so that this costs nothing when nothing is.
void Loop::end_late() {
    const auto next = [this](DeadlineList& list) {
        return static_cast<Connection*>(list.first_due(now_ms_));
    };
    while (Connection* const late = next(hellos_)) end(*late, Count::hello_timeout);
    while (Connection* const client = next(waiting_)) look_again(*client);
    while (Connection* const late = next(connects_)) {
        give_up_dialling(*late, ETIMEDOUT);
    }
    while (Connection* const grown = next(young_)) {
        grown->leave();
        (void)keep_alive(grown->primary.socket);  // the client's has it from the one that listens
    }
    while (Connection* const still = next(half_closed_)) {
        if (!std::exchange(still->moved, false)) {
            abort(*still, Count::reset);
        } else {
            half_closed_.add(*still, now_ms_);
        }
    }
    while (Timed* const due = loans_.first_due(now_ms_)) {
        due->leave();
        // NOLINTNEXTLINE: there is nothing else in it
        auto& loan = static_cast<Loan&>(*due);
        if (transfer_.reclaim(loan.of)) loans_.add(loan, now_ms_);
    }
    if (!doors_open_ && doors_rest_until_ms_ <= now_ms_) {
        doors_rest_until_ms_ = now_ms_ + doors_rest_ms;
        watch_doors(true);
    }
}

/// That it takes bytes is asked only of one that did not: of all others it would be told at once.
void Loop::watch(Connection& connection, Side& side) {
    constexpr std::uint32_t always = EPOLLIN | EPOLLRDHUP | std::uint32_t{EPOLLET};
    std::uint32_t wanted = always | side.watched;
    if (!side.writable) wanted |= EPOLLOUT;
    if (side.watched == wanted) return;
    const int how = side.watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    side.watched = wanted;
    const std::uint64_t side_bit = &side == &connection.primary ? 1 : 0;
    epoll_event event{.events = wanted,
                      .data = {.u64 = reinterpret_cast<std::uint64_t>(&connection) | side_bit}};
    // Fails only without kernel memory, and then the connection's deadline or its peer ends it.
    (void)::epoll_ctl(epoll_.get(), how, side.socket.get(), &event);
}

/// Of a socket that goes to somebody else.
void Loop::unwatch(Side& side) const {
    if (std::exchange(side.watched, 0U) == 0) return;
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, side.socket.get(), nullptr);
}

void Loop::abort(Connection& connection, Count why) {
    close_with_reset(connection.client.socket);
    close_with_reset(connection.primary.socket);
    end(connection, why);
}

void Loop::end(Connection& connection, Count why) {
    if (connection.stage == Stage::over) return;
    // Before its peers can see the end, so that who has seen it finds it counted.
    counters_.add(why);
    // Of a tunnel it is told how its hello ends.
    if (why != Count::tunnel) tell(connection, count_names[static_cast<std::size_t>(why)]);
    report_silence(connection);
    remove(connection);
}

/// A client that waited for an answer and gave up says something of the host; one that came and
/// went does not.
void Loop::report_silence(Connection& connection) {
    const bool silent = connection.stage == Stage::relaying && connection.registration != 0 &&
                        !connection.heard && !connection.primary.ended &&
                        now_ms_ - connection.begun_ms >= silence_ms_min;
    if (!silent || parts_.reports == nullptr || std::exchange(connection.silence, true)) return;
    parts_.reports->silent(connection.registration);
}

void Loop::tell(Connection& connection, std::string_view outcome) {
    if (!connection.access) return;
    Access access = *std::move(connection.access);
    access.ended_at = std::chrono::system_clock::now();
    access.outcome = outcome;
    access.duration_ms = now_ms_ - connection.begun_ms;
    parts_.access->put(std::move(access));
    connection.access.reset();
}

void Loop::remove(Connection& connection) {
    connection.stage = Stage::over;
    connection.leave();
    connection.loan.leave();
    connection.opening.reset();
    parts_.destinations.leave(std::exchange(connection.destination, DestinationLimits::none));
    for (Side* side : {&connection.client, &connection.primary}) {
        transfer_.drop(*side);
        side->socket.reset();
    }
    // It must not be found again: neither by a queue of ours nor, after this turn, by an event.
    if (std::exchange(connection.again, false)) std::erase(again_, &connection);
    const std::size_t index = connection.index;
    ended_.push_back(std::exchange(connections_[index], nullptr));
    if (index + 1 != connections_.size()) {
        connections_[index] = std::move(connections_.back());
        connections_[index]->index = static_cast<std::uint32_t>(index);
    }
    connections_.pop_back();
    open_.store(connections_.size(), std::memory_order_relaxed);
}

}  // namespace berth::sentinel
