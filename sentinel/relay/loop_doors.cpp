// SPDX-License-Identifier: Apache-2.0
// How clients come in, and what happens when there is no descriptor for them.
#include "base/log.h"
#include "sentinel/relay/loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr int accepts_per_turn = 64;
constexpr int queue_turns_max = 65535 / accepts_per_turn + 1;  // as long as a queue can be

}  // namespace

void Loop::accept_some(Door& door) {
    for (int turn = 0; turn < accepts_per_turn && doors_open_; ++turn) {
        KernelAddress from;
        Fd client(
            ::accept4(door.socket.get(), from.get(), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (client) {
            welcome(std::move(client), from);
        } else if (errno == EMFILE || errno == ENFILE) {
            if (!turn_one_away(door)) return rest_doors();
        } else if (errno == ENOBUFS || errno == ENOMEM) {
            return rest_doors();
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        }  // else that client left meanwhile, or its network did (accept(2))
    }
}

/// A client that cannot be taken is told so, instead of being left in the queue, where it would
/// wake this loop for ever. False when not even that is possible.
bool Loop::turn_one_away(const Door& door) {
    spare_.reset();
    KernelAddress from;
    Fd client(::accept4(door.socket.get(), from.get(), &from.size, SOCK_CLOEXEC));
    const bool accepted = client || errno == EAGAIN;
    if (client) {
        counters_.add(Count::no_descriptor);
        if (parts_.access != nullptr) {
            parts_.access->put({.ended_at = std::chrono::system_clock::now(),
                                .source = SocketAddress::of(from).value_or(SocketAddress()),
                                .outcome = "no_descriptor"});
        }
        close_with_reset(client);
    }
    spare_ = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return accepted && spare_;
}

void Loop::rest_doors() {
    log::warning("no descriptor or memory for more clients");
    doors_rest_until_ms_ = now_ms_ + doors_rest_ms;
    watch_doors(false);
}

void Loop::watch_doors(bool open) {
    doors_open_ = open;
    if (open && !spare_) spare_ = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    for (std::size_t door = 0; door < doors_.size(); ++door) {
        const int socket = doors_[door].socket.get();
        epoll_event event{.events = EPOLLIN, .data = {.u64 = tag_first_door + door}};
        // One loop is woken for a client of a shared door, instead of all.
        if (doors_[door].shared) event.events |= EPOLLEXCLUSIVE;
        const int done =
            ::epoll_ctl(epoll_.get(), open ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, socket, &event);
        // Without memory for that they stay closed until the next try, which may find some watched.
        if (open && done != 0 && errno != EEXIST) doors_open_ = false;
    }
}

void Loop::take_order() {
    eventfd_t count = 0;
    (void)::eventfd_read(stop_.get(), &count);
    const Order order = order_;
    if (order == Order::stop) stopping_ = true;
    if (order == Order::none || std::exchange(draining_, true)) return;
    if (order == Order::drain_queued) {
        // A socket that nobody else has takes its queue along when it is closed, by resets.
        for (Door& door : doors_) {
            for (int turn = 0; turn < queue_turns_max && !door.shared; ++turn) accept_some(door);
        }
    }
    shut_doors();
}

void Loop::shut_doors() {
    if (doors_open_) watch_doors(false);
    doors_.clear();
    doors_open_ = true;  // there is nothing to wait for
}

void Loop::welcome(Fd client, const KernelAddress& from) {
    counters_.add(Count::accepted);
    auto owned = std::make_unique<Connection>();
    Connection& connection = *owned;
    connection.client.socket = std::move(client);
    connection.client.writable = true;
    connection.begun_ms = now_ms_;
    if (parts_.access != nullptr) {
        connection.access = std::make_unique<Access>();
        connection.access->source = SocketAddress::of(from).value_or(SocketAddress());
    }
    connection.index = static_cast<std::uint32_t>(connections_.size());
    connections_.push_back(std::move(owned));
    open_.store(connections_.size(), std::memory_order_relaxed);
    const auto& proxies = parts_.options.proxies;
    bool proxied = false;
    if (!proxies.empty()) {
        const auto address = SocketAddress::of(from);
        proxied = address && std::ranges::any_of(proxies, [&](const IpNetwork& network) {
                      return network.contains(*address);
                  });
    }
    Greeting greeting(proxied, parts_.options.ssh.has_value());
    listen_to(connection, greeting);
}

}  // namespace berth::sentinel
