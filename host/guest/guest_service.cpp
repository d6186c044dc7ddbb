// SPDX-License-Identifier: Apache-2.0
#include "host/guest/guest_service.h"

#include "base/accept_failure.h"
#include "base/bind_in.h"
#include "base/fault.h"
#include "base/files.h"
#include "base/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace berth::guest {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::uint64_t wake_key = 0;
constexpr int backlog = 16;
constexpr auto moment = 50ms;  // how soon a container that has to wait is looked at again

/// A socket under its final name at once, so that nobody inside finds none while it is replaced.
Result<Fd> listen_in(const fs::path& directory) {
    const Fd place(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!place) return fail(system_error(fmt::format("open '{}'", directory.string()), errno));
    Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener) return fail(system_error("make a container's own socket", errno));
    (void)::unlinkat(place.get(), "new", 0);
    BERTH_TRY(bind_in(place, "new", listener, 0666));
    if (::listen(listener.get(), backlog) != 0 ||
        ::renameat(place.get(), "new", place.get(), std::string(socket_name).c_str()) != 0)
        return fail(system_error("listen on a container's own socket", errno));
    return listener;
}

}  // namespace

Result<std::unique_ptr<GuestService>> GuestService::start(const Clock& clock, GuestLimits limits) {
    Fd events(::epoll_create1(EPOLL_CLOEXEC));
    Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!events || !wake)
        return fail(system_error("make the event queue of containers' own sockets", errno));
    std::unique_ptr<GuestService> service(
        new GuestService(clock, limits, std::move(events), std::move(wake)));
    if (!service->watch(service->wake_.get(), wake_key, EPOLLIN, EPOLL_CTL_ADD))
        return fail(system_error("watch for the end", errno));
    service->thread_ = std::jthread([raw = service.get()] { raw->serve(); });
    return service;
}

GuestService::~GuestService() {
    stop();
}

void GuestService::stop() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
    }
    (void)::eventfd_write(wake_.get(), 1);
    if (thread_.joinable()) thread_.join();
}

bool GuestService::watch(int fd, std::uint64_t key, std::uint32_t what, int how) const {
    epoll_event event{.events = what, .data = {.u64 = key}};
    return ::epoll_ctl(events_.get(), how, fd, &event) == 0;
}

Result<> GuestService::open(std::string_view id, const fs::path& directory) {
    BERTH_TRY(make_directories(directory, 0755));
    BERTH_TRY(fault::at("guest.listen"));
    const std::lock_guard lock(mutex_);
    for (const auto& [key, known] : listeners_) {
        if (known.id == id) return {};
    }
    auto socket = BERTH_TRY(listen_in(directory));
    Listener listener{.id = std::string(id), .socket = std::move(socket)};
    listener.tokens = limits_.burst;
    listener.counted = clock_.steady();
    const auto key = next_key_++;
    if (!watch(listener.socket.get(), key, EPOLLIN, EPOLL_CTL_ADD))
        return fail(system_error("watch a container's own socket", errno));
    listeners_.emplace(key, std::move(listener));
    return {};
}

void GuestService::close(std::string_view id, const fs::path& directory) {
    (void)::unlink((directory / socket_name).c_str());
    const std::lock_guard lock(mutex_);
    std::erase_if(listeners_, [&](const auto& item) {
        if (item.second.id != id) return false;
        std::erase_if(connections_,
                      [&](const auto& other) { return other.second.listener == item.first; });
        return true;
    });
}

void GuestService::serve() {
    for (;;) {
        std::array<epoll_event, 64> events{};
        const int got =
            ::epoll_wait(events_.get(), events.data(), static_cast<int>(events.size()), wait_ms());
        if (got < 0 && errno != EINTR)
            return log::error("guest: the event queue failed", {{"errno", std::to_string(errno)}});
        for (int index = 0; index < got; ++index)
            handle(events.at(static_cast<std::size_t>(index)).data.u64);
        const std::lock_guard lock(mutex_);
        if (over_) return;
        tend();
    }
}

int GuestService::wait_ms() {
    const std::lock_guard lock(mutex_);
    const bool busy =
        !connections_.empty() ||
        std::ranges::any_of(listeners_, [](const auto& item) { return !item.second.listening; });
    return busy ? static_cast<int>(moment.count()) : -1;
}

void GuestService::handle(std::uint64_t key) {
    std::optional<std::pair<std::uint64_t, std::string>> asked;
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = listeners_.find(key); found != listeners_.end())
            admit(key, found->second);
        if (const auto found = connections_.find(key); found != connections_.end()) {
            found->second.out.empty() ? read(key, found->second) : write(key, found->second);
        }
        asked = std::exchange(to_tell_, std::nullopt);
    }
    if (!asked) return;
    const auto told = tell_(asked->second);  // without the lock: it may take a moment
    const std::lock_guard lock(mutex_);
    const auto found = connections_.find(key);
    if (found == connections_.end()) return;
    found->second.out = told ? http_answer(200, to_text(*told)) : failure(told.error());
    write(key, found->second);
}

void GuestService::refill(Listener& listener) const {
    const auto now = clock_.steady();
    const std::chrono::duration<double> passed = now - listener.counted;
    listener.tokens =
        std::min(limits_.burst, listener.tokens + passed.count() * limits_.requests_per_second);
    listener.counted = now;
}

bool GuestService::may_admit(const Listener& listener) const {
    return listener.tokens >= 1 && listener.connections < limits_.connections_max &&
           listener.rests_until <= clock_.steady();
}

void GuestService::admit(std::uint64_t key, Listener& listener) {
    refill(listener);
    Fd client;
    if (may_admit(listener)) {
        client.reset(
            ::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!client && is_shortage(errno)) listener.rests_until = clock_.steady() + accept_pause;
    }
    if (!client && !may_admit(listener)) {
        // Whoever wants more waits in the queue, and is heard of when there is room.
        listener.listening = !watch(listener.socket.get(), key, 0, EPOLL_CTL_MOD);
    }
    if (!client) return;
    listener.tokens -= 1;
    const auto number = next_key_++;
    if (!watch(client.get(), number, EPOLLIN, EPOLL_CTL_ADD)) return;
    ++listener.connections;
    connections_.emplace(number, Connection{.listener = key,
                                            .socket = std::move(client),
                                            .deadline = clock_.steady() + limits_.time_max});
}

void GuestService::read(std::uint64_t key, Connection& connection) {
    std::array<char, request_bytes_max> buffer{};
    const auto room = request_bytes_max - connection.in.size();
    const ssize_t got = ::recv(connection.socket.get(), buffer.data(), room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return end(key);
    connection.in.append(buffer.data(), static_cast<std::size_t>(got));
    const auto asked = read_request(connection.in);
    if (asked == Asked::need_more) return;
    if (asked == Asked::about) {
        const auto listener = listeners_.find(connection.listener);
        if (listener == listeners_.end()) return end(key);
        to_tell_.emplace(key, listener->second.id);
        return;
    }
    connection.out = refusal(asked);
    write(key, connection);
}

void GuestService::write(std::uint64_t key, Connection& connection) {
    const ssize_t gave =
        ::send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (gave < 0 && errno != EAGAIN && errno != EINTR) return end(key);
    if (gave > 0) connection.out.erase(0, static_cast<std::size_t>(gave));
    if (connection.out.empty()) return end(key);
    (void)watch(connection.socket.get(), key, EPOLLOUT, EPOLL_CTL_MOD);
}

void GuestService::end(std::uint64_t key) {
    const auto found = connections_.find(key);
    if (found == connections_.end()) return;
    const auto listener = listeners_.find(found->second.listener);
    if (listener != listeners_.end()) --listener->second.connections;
    connections_.erase(found);
}

void GuestService::tend() {
    const auto now = clock_.steady();
    std::vector<std::uint64_t> late;
    for (const auto& [key, connection] : connections_) {
        if (connection.deadline <= now) late.push_back(key);
    }
    for (const auto key : late) end(key);
    for (auto& [key, listener] : listeners_) {
        if (listener.listening) continue;
        refill(listener);
        if (may_admit(listener))
            listener.listening = watch(listener.socket.get(), key, EPOLLIN, EPOLL_CTL_MOD);
    }
}

}  // namespace berth::guest
