// SPDX-License-Identifier: Apache-2.0
// From a client's first byte to a connection with its pool, or to the reason why there is none.
#include "base/files.h"
#include "base/log.h"
#include "sentinel/relay/loop.h"
#include "sentinel/relay/tunnelled_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace berth::sentinel {
namespace {

constexpr int drains_max = 16;
constexpr std::int64_t tell_every_ms = 1000;

template <class Ask>
SocketAddress ask_address(Ask ask, const Fd& socket) {
    KernelAddress address;
    if (ask(socket.get(), address.get(), &address.size) != 0) return {};
    return SocketAddress::of(address).value_or(SocketAddress());
}

/// Who connects and where to, as a proxy in front told or as it is.
ProxyEnds ends_of(const Fd& client, const Greeting& greeting) {
    if (greeting.ends()) return *greeting.ends();
    return {.client = ask_address(::getpeername, client),
            .server = ask_address(::getsockname, client)};
}

}  // namespace

void Loop::listen_to(Connection& connection, Greeting& greeting) {
    Side& client = connection.client;
    while (true) {
        const auto buffer = transfer_.buffer();
        const ssize_t got = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && would_block()) {
            client.readable = false;
            if (!connection.opening) wait_for_more(connection, greeting, {});
            return;
        }
        if (got <= 0) return end(connection, Count::left_early);
        const std::string_view news(buffer.data(), static_cast<std::size_t>(got));
        std::string_view all = news;
        if (connection.opening) {
            Opening& opening = *connection.opening;
            const bool room = take_room(connection, [&](HelloLimits::Room how) {
                return opening.place.grow(news.size(), how);
            });
            if (!room) return end(connection, Count::hello_refused);
            all = opening.bytes.append(news);
        }
        const HelloState state = greeting.read(all);
        if (state != HelloState::need_more) return decide(connection, state, greeting, all);
        if (all.size() >= Greeting::bytes_max) {
            return decide(connection, HelloState::malformed, greeting, all);
        }
        if (!connection.opening) return wait_for_more(connection, greeting, news);
        if (news.size() < buffer.size() && !client.hung) {
            client.readable = false;
            return;
        }
    }
}

/// From here on the connection costs memory, and so it needs a place and has a deadline.
void Loop::wait_for_more(Connection& connection, Greeting& greeting, std::string_view news) {
    HelloLimits::Place place;
    if (!take_place(connection, place, news.size())) {
        return end(connection, Count::hello_refused);
    }
    connection.opening = std::make_unique<Opening>(
        Opening{.greeting = greeting, .place = std::move(place), .bytes = std::string(news)});
    hellos_.add(connection, now_ms_);
    watch(connection, connection.client);
}

bool Loop::take_place(const Connection& connection, HelloLimits::Place& place, std::size_t bytes) {
    const auto from = ask_address(::getpeername, connection.client.socket);
    using Room = HelloLimits::Room;
    return take_room(connection, [&](Room how) { return parts_.limits.enter(from, place, how); }) &&
           take_room(connection, [&](Room how) { return place.grow(bytes, how); });
}

/// When what all may have is taken, the connection of this loop that has waited longest makes room;
/// and where that is the one that wants it, or there is none, it has what it wants even so, since a
/// loop does not reach into another. When what its source may have is, a connection gets none, so
/// that a source can only crowd out itself.
template <class Take>
bool Loop::take_room(const Connection& connection, const Take& take) {
    using Room = HelloLimits::Room;
    auto refused = take(Room::if_there_is);
    while (refused == HelloLimits::Refused::all_full) {
        auto* const oldest = static_cast<Connection*>(hellos_.first());
        const bool other = oldest != nullptr && oldest != &connection;
        if (other) end(*oldest, Count::hello_refused);
        refused = take(other ? Room::if_there_is : Room::even_so);
    }
    return refused == HelloLimits::Refused::no;
}

void Loop::decide(Connection& connection, HelloState state, const Greeting& greeting,
                  std::string_view all) {
    if (connection.access) {
        connection.access->server_name = greeting.name().text();
        if (greeting.ends()) connection.access->source = greeting.ends()->client;
    }
    if (state == HelloState::not_tls && parts_.tunnels != nullptr &&
        parts_.tunnels->takes_plain() && all.substr(greeting.header_bytes()).starts_with('{')) {
        return take_tunnel(connection, greeting, all.substr(greeting.header_bytes()));
    }
    if (greeting.is_ssh()) return lead_to_ssh(connection, greeting, all);
    switch (state) {
        case HelloState::need_more:
        case HelloState::not_tls:
            return end(connection, Count::not_tls);
        case HelloState::malformed:
            return refuse(connection, Alert::decode_error, Count::malformed);
        case HelloState::bad_name:
            return refuse(connection, Alert::unrecognized_name, Count::bad_name);
        case HelloState::no_name:
        case HelloState::named:
            break;
    }
    if (greeting.wants_tunnel() && parts_.tunnels != nullptr) {
        return take_tunnel(connection, greeting, all.substr(greeting.header_bytes()));
    }
    const RouteReader::Look look(reader_);
    const bool named = state == HelloState::named;
    if (const Pool* const pool = named ? look.find(greeting.name().text()) : nullptr) {
        counters_.add(Count::routed);
        return dial(connection, *pool, greeting, all);
    }
    if (const Pool* const pool = look.default_pool()) {
        counters_.add(Count::routed_by_default);
        return dial(connection, *pool, greeting, all);
    }
    refuse(connection, Alert::unrecognized_name, named ? Count::unknown_name : Count::no_name);
}

/// To the one place there is for SSH, whose banner names nobody.
void Loop::lead_to_ssh(Connection& connection, const Greeting& greeting, std::string_view all) {
    counters_.add(Count::ssh);
    connection.ssh = true;
    if (connection.access) connection.access->protocol = "ssh";
    dial(connection, Pool{.name = "", .primary = *parts_.options.ssh}, greeting, all);
}

void Loop::dial(Connection& connection, const Pool& pool, const Greeting& greeting,
                std::string_view all) {
    connection.leave();  // its hello came in time
    Side& primary = connection.primary;
    const std::string_view said = all.substr(greeting.header_bytes());
    connection.registration = pool.path();
    if (connection.access) {
        connection.access->pool = pool.name;
        connection.access->destination = pool.primary;
        connection.access->bytes_from_client = said.size();
    }
    if (std::holds_alternative<TunnelPort>(pool.primary)) {
        return dial_through_tunnel(connection, pool, greeting, all);
    }
    const auto* const where = std::get_if<SocketAddress>(&pool.primary);
    if (where == nullptr) {
        // After a start or a takeover, hosts need a moment to come back.
        const bool expected = std::get<Nowhere>(pool.primary).expected &&
                              parts_.tunnels != nullptr && now_ms_ < tunnels_back_ms_;
        if (expected && await_tunnel(connection, greeting, all)) return;
        return primary_down(connection, pool.name, said, EHOSTDOWN);
    }
    const bool told_of = parts_.reports != nullptr && connection.registration != 0;
    if (const int problem = told_of ? parts_.reports->known_off(connection.registration) : 0) {
        connection.registration = 0;  // there is nothing new to tell
        return primary_down(connection, pool.name, said, problem);
    }
    connection.destination = parts_.destinations.enter(*where);
    if (connection.destination == DestinationLimits::none) {
        return refuse(connection, Alert::internal_error, Count::destination_full);
    }
    const KernelAddress address = where->to_kernel();
    primary.socket =
        Fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!primary.socket) return refuse(connection, Alert::internal_error, Count::no_descriptor);
    constexpr int on = 1;
    (void)::setsockopt(primary.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    transfer_.add_bytes(Flow::from_client, said.size());
    std::string_view first = said;
    std::string with_header;
    if (pool.proxy_protocol) {
        with_header =
            proxy_header(ends_of(connection.client.socket, greeting), greeting.name().text())
                .append(said);
        first = with_header;
    }
    const bool at_once = ::connect(primary.socket.get(), address.get(), address.size) == 0;
    if (!at_once && errno != EINPROGRESS) return primary_down(connection, pool.name, said, errno);
    // One that is near is connected by now, whatever connect(2) has said.
    primary.writable = true;
    if (!Transfer::send_or_keep(primary, first)) {
        return primary_down(connection, pool.name, said, errno);
    }
    if (!primary.rest || primary.rest->bytes.size() < first.size()) return connected(connection);
    watch(connection, primary);
    connection.stage = Stage::connecting;
    // What was read until now is not needed any more, and its place is another's.
    const std::size_t header_bytes = first.size() - said.size();
    connection.opening = std::make_unique<Opening>(
        Opening{.greeting = Greeting(false), .pool = pool.name, .header_bytes = header_bytes});
    connects_.add(connection, now_ms_);
}

/// Who waits for a tunnel has a place among those whose hello is not whole, or there is none.
bool Loop::await_tunnel(Connection& connection, const Greeting& greeting, std::string_view all) {
    if (!connection.opening) {
        HelloLimits::Place place;
        if (!take_place(connection, place, all.size())) return false;
        connection.opening = std::make_unique<Opening>(
            Opening{.greeting = greeting, .place = std::move(place), .bytes = std::string(all)});
    }
    connection.stage = Stage::waiting;
    waiting_.add(connection, now_ms_);
    watch(connection, connection.client);
    return true;
}

void Loop::look_again(Connection& connection) {
    const Opening& opening = *connection.opening;
    const RouteReader::Look look(reader_);
    if (const Pool* const pool = look.find(opening.greeting.name().text())) {
        return dial(connection, *pool, opening.greeting, opening.bytes);
    }
    refuse(connection, Alert::unrecognized_name, Count::unknown_name);  // nobody's any more
}

/// Whoever keeps the tunnel carries it from here on, and tells of it.
void Loop::dial_through_tunnel(Connection& connection, const Pool& pool, const Greeting& greeting,
                               std::string_view all) {
    const std::string_view said = all.substr(greeting.header_bytes());
    if (parts_.tunnels == nullptr) return primary_down(connection, pool.name, said, EHOSTDOWN);
    Fd& client = connection.client.socket;
    const ProxyEnds ends = ends_of(client, greeting);
    unwatch(connection.client);
    const auto refusal = alert_record(Alert::internal_error);
    auto watcher = std::make_unique<TunnelledClient>(counters_, parts_.access, parts_.reports);
    watcher->registration = connection.registration;
    watcher->begun_ms = connection.begun_ms;
    if (connection.access) watcher->line = *connection.access;
    tunnel::Visitor visitor{
        .socket = std::move(client),
        .said = pool.proxy_protocol ? proxy_header(ends, greeting.name().text()) : "",
        .refusal = {refusal.begin(), refusal.end()},
        .watcher = std::move(watcher)};
    visitor.said += said;
    if (parts_.tunnels->open(std::get<TunnelPort>(pool.primary), ends.client,
                             greeting.name().text(), visitor)) {
        return remove(connection);
    }
    client = std::move(visitor.socket);
    // It went since its name was looked up, and where it was relieved the name leads to the next.
    if (!await_tunnel(connection, greeting, all)) {
        primary_down(connection, pool.name, said, EHOSTDOWN);
    }
}

void Loop::take_tunnel(Connection& connection, const Greeting& greeting, std::string_view said) {
    connection.leave();
    Fd& host = connection.client.socket;
    const SocketAddress from = ends_of(host, greeting).client;
    unwatch(connection.client);
    if (parts_.tunnels->arrive(host, from, said)) return end(connection, Count::tunnel);
    if (now_ms_ - last_told_ms_ >= tell_every_ms || last_told_ms_ == 0) {
        last_told_ms_ = now_ms_;
        log::warning("a tunnel is refused",
                     {{"from", from.to_string()}, {"why", "too many have not said their hello"}});
    }
    refuse(connection, Alert::internal_error, Count::tunnel_refused);
}

void Loop::connected(Connection& connection) {
    connection.stage = Stage::relaying;
    connection.leave();
    connection.opening.reset();
    if (parts_.reports != nullptr) parts_.reports->accepted(connection.registration);
    young_.add(connection, now_ms_);
    relay(connection);
}

void Loop::give_up_dialling(Connection& connection, int errno_value) {
    const std::unique_ptr<Opening> opening = std::move(connection.opening);
    const std::unique_ptr<Rest> rest = std::move(connection.primary.rest);
    primary_down(connection, opening->pool,
                 std::string_view(rest->bytes).substr(opening->header_bytes), errno_value);
}

/// A pool that is known and away is never another's business: the client is told at once, by the
/// pool's own page where there is one.
void Loop::primary_down(Connection& connection, std::string_view pool, std::string_view said,
                        int errno_value) {
    if (parts_.reports != nullptr && connection.registration != 0) {
        parts_.reports->refused(connection.registration, errno_value);
    }
    if (now_ms_ - last_told_ms_ >= tell_every_ms || last_told_ms_ == 0) {
        last_told_ms_ = now_ms_;
        log::warning("a pool's primary does not answer",
                     {{"pool", connection.ssh ? "of --ssh" : std::string(pool)},
                      {"why", system_error("connect", errno_value).message}});
    }
    if (parts_.away != nullptr) {
        unwatch(connection.client);
        if (parts_.away->take(pool, connection.client.socket, said))
            return end(connection, Count::page_shown);
    }
    refuse(connection, Alert::internal_error, Count::primary_down);
}

void Loop::refuse(Connection& connection, Alert alert, Count why) {
    counters_.add(why);
    tell(connection, count_names[static_cast<std::size_t>(why)]);
    const Fd& client = connection.client.socket;
    const auto record = alert_record(alert);
    if (!connection.ssh) (void)::send(client.get(), record.data(), record.size(), MSG_NOSIGNAL);
    (void)::shutdown(client.get(), SHUT_WR);
    // A close with bytes unread would be a reset, which may overtake the alert.
    const auto buffer = transfer_.buffer();
    for (int turn = 0; turn < drains_max; ++turn) {
        if (::recv(client.get(), buffer.data(), buffer.size(), 0) <= 0) break;
    }
    remove(connection);
}

}  // namespace berth::sentinel
