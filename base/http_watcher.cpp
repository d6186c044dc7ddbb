// SPDX-License-Identifier: Apache-2.0
#include "base/http_watcher.h"

#include "base/log.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <system_error>
#include <utility>

namespace berth::http {
namespace {

constexpr std::size_t events_at_once = 64;

bool add(const Fd& epoll, int fd, std::uint32_t events, Watcher::Id id) {
    epoll_event event{.events = events, .data = {.u64 = id}};
    return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Watcher::~Watcher() {
    if (!thread_.joinable()) return;
    (void)::eventfd_write(wake_.get(), 1);
    thread_.join();
}

Watcher::Id Watcher::watch(int socket, std::stop_source gone) {
    const std::scoped_lock lock(mutex_);
    if (!started()) {
        log::error("clients that leave are not noticed: no descriptor or no thread to watch them");
        return 0;
    }
    const Id id = next_++;
    const auto entry = watched_.emplace(id, std::move(gone)).first;
    // Hang-ups and errors are reported unasked.
    if (add(epoll_, socket, EPOLLRDHUP | EPOLLONESHOT, id)) return id;
    watched_.erase(entry);
    log::error("a client that leaves is not noticed: its socket cannot be watched");
    return 0;
}

void Watcher::forget(int socket, Id id) {
    if (id == 0) return;
    const std::scoped_lock lock(mutex_);
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, nullptr);
    watched_.erase(id);
}

bool Watcher::started() {
    if (thread_.joinable()) return true;
    epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
    wake_ = Fd(::eventfd(0, EFD_CLOEXEC));
    if (!epoll_ || !wake_ || !add(epoll_, wake_.get(), EPOLLIN, 0)) return false;
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {
        return false;
    }
    return true;
}

void Watcher::run() {
    std::array<epoll_event, events_at_once> events{};
    for (;;) {
        const int count = ::epoll_wait(epoll_.get(), events.data(), events_at_once, -1);
        for (int index = 0; index < count; ++index) {
            const Id id = events.at(static_cast<std::size_t>(index)).data.u64;
            if (id == 0) return;
            std::stop_source gone{std::nostopstate};
            {
                const std::scoped_lock lock(mutex_);
                if (const auto found = watched_.find(id); found != watched_.end()) {
                    gone = found->second;
                }
            }
            // Not under the lock: whoever is told may forget its socket at once.
            (void)gone.request_stop();
        }
    }
}

}  // namespace berth::http
