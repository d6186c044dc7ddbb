// SPDX-License-Identifier: Apache-2.0
#include "sentinel/page/page_server.h"

#include "base/files.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr int niceness = 10;
constexpr int wait_ms_max = 60'000;

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

bool would_block() {
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

}  // namespace

Result<std::unique_ptr<PageServer>> PageServer::start(Directories directories) {
    std::unique_ptr<PageServer> server(new PageServer(std::move(directories)));
    BERTH_TRY(server->reload());
    server->epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
    server->wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event event{.events = EPOLLIN, .data = {.fd = server->wake_.get()}};
    if (!server->epoll_ || !server->wake_ ||
        ::epoll_ctl(server->epoll_.get(), EPOLL_CTL_ADD, server->wake_.get(), &event) != 0) {
        return fail(system_error("make an event loop for pages", errno));
    }
    server->thread_ = std::thread([&one = *server] { one.run(); });
    return server;
}

PageServer::~PageServer() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    (void)::eventfd_write(wake_.get(), 1);
    thread_.join();
}

Result<> PageServer::reload() {
    std::map<std::string, std::shared_ptr<Page>, std::less<>> pages;
    for (const auto& [pool, directory] : directories_) {
        pages.emplace(pool, BERTH_TRY(Page::load(directory)));
    }
    const std::lock_guard lock(mutex_);
    pages_.swap(pages);
    return {};
}

bool PageServer::take(std::string_view pool, Fd& client, std::string_view said) {
    {
        const std::lock_guard lock(mutex_);
        const auto page = pages_.find(pool);
        if (page == pages_.end() || page->second->guests() >= guests_per_pool_max) return false;
        arrived_.push_back({.socket = std::move(client),
                            .place = PagePlace(page->second),
                            .said = std::string(said)});
    }
    (void)::eventfd_write(wake_.get(), 1);
    return true;
}

void PageServer::run() {
    // On Linux this is of the calling thread alone (setpriority(2)).
    (void)::setpriority(PRIO_PROCESS, 0, niceness);
    std::array<epoll_event, 64> events{};
    while (true) {
        const std::int64_t due = deadlines_.due_ms(now_ms() + wait_ms_max) - now_ms();
        const int wait = static_cast<int>(std::clamp<std::int64_t>(due, 0, wait_ms_max));
        const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), wait);
        for (int at = 0; at < count; ++at) {
            const int socket = events[static_cast<std::size_t>(at)].data.fd;
            const auto guest = guests_.find(socket);
            if (guest != guests_.end() && !serve(*guest->second)) guests_.erase(guest);
        }
        while (Timed* const late = deadlines_.first_due(now_ms())) {
            guests_.erase(static_cast<Guest*>(late)->socket.get());
        }
        eventfd_t woken = 0;
        (void)::eventfd_read(wake_.get(), &woken);
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) return;
        }
        welcome_new();
    }
}

void PageServer::welcome_new() {
    std::vector<Arrival> arrived;
    {
        const std::lock_guard lock(mutex_);
        arrived.swap(arrived_);
    }
    for (auto& arrival : arrived) {
        auto guest = std::make_unique<Guest>(std::move(arrival.socket), std::move(arrival.place));
        const int socket = guest->socket.get();
        deadlines_.add(*guest, now_ms());
        guest->visit.receive(arrival.said);
        if (watch(*guest)) guests_.emplace(socket, std::move(guest));
    }
}

/// False without kernel memory. `again`: what epoll has told already is told once more.
bool PageServer::watch(const Guest& guest, bool again) const {
    const int socket = guest.socket.get();
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | std::uint32_t{EPOLLET},
                      .data = {.fd = socket}};
    const int how = again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    return ::epoll_ctl(epoll_.get(), how, socket, &event) == 0;
}

/// False when nothing more is to be done for it.
bool PageServer::serve(Guest& guest) {
    std::array<char, 16384> buffer{};
    for (int turn = 0; turn < reads_per_turn; ++turn) {
        const ssize_t got = ::recv(guest.socket.get(), buffer.data(), buffer.size(), 0);
        if (got == 0) return false;
        if (got < 0) return would_block() && send_output(guest);
        // What comes behind the request is read too, since a close before would be a reset.
        guest.visit.receive({buffer.data(), static_cast<std::size_t>(got)});
    }
    return send_output(guest) && watch(guest, true);
}

bool PageServer::send_output(Guest& guest) {
    guest.output += guest.visit.take_output();
    while (!guest.output.empty()) {
        const ssize_t sent =
            ::send(guest.socket.get(), guest.output.data(), guest.output.size(), MSG_NOSIGNAL);
        if (sent < 0) return would_block();
        guest.output.erase(0, static_cast<std::size_t>(sent));
    }
    if (guest.visit.over() && !std::exchange(guest.shut, true)) {
        (void)::shutdown(guest.socket.get(), SHUT_WR);
    }
    return true;
}

}  // namespace berth::sentinel
