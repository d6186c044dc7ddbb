// SPDX-License-Identifier: Apache-2.0
#include "host/ssh/login_service.h"

#include "base/accept_failure.h"
#include "base/fault.h"
#include "base/files.h"
#include "base/log.h"
#include "host/ssh/guest_files.h"
#include "host/ssh/open_connections.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <system_error>

namespace berth::ssh {
namespace {

using namespace std::chrono_literals;

constexpr int threads = 2;  // which take connections and hear of ends, and wait for no container
constexpr int wakers = 4;   // containers that are started at once because somebody logs in
constexpr int backlog = 128;
constexpr auto banner_time_max = 20s;
constexpr std::uint64_t stop_key = 0;

/// One socket for IPv4 and IPv6; for IPv4 alone where the kernel has no IPv6.
Result<Fd> listen_on(std::int64_t port) {
    constexpr int on = 1;
    constexpr int off = 0;
    for (const int family : {AF_INET6, AF_INET}) {
        Fd listener(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!listener) continue;
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(static_cast<std::uint16_t>(port));
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = v6.sin6_port;
        (void)::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (family == AF_INET6)
            (void)::setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
        const auto* address =
            family == AF_INET6
                ? reinterpret_cast<const sockaddr*>(&v6)
                : reinterpret_cast<const sockaddr*>(&v4);  // NOLINT: sockaddr's own idiom
        const socklen_t length = family == AF_INET6 ? sizeof(v6) : sizeof(v4);
        if (::bind(listener.get(), address, length) == 0 && ::listen(listener.get(), backlog) == 0)
            return listener;
        if (errno == EADDRINUSE)
            return fail(ErrorCode::busy,
                        fmt::format("port {} of the host, which is this container's for SSH, is "
                                    "used by another service",
                                    port));
    }
    return fail(system_error(fmt::format("listen on port {}", port), errno));
}

/// Reads until the first line is whole or the time is up.
Result<std::string> first_line(int socket) {
    constexpr std::size_t banner_bytes_max = 255;  // RFC 4253 section 4.2
    const auto deadline = std::chrono::steady_clock::now() + banner_time_max;
    std::string line;
    while (!line.ends_with('\n') && line.size() < banner_bytes_max) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        pollfd polled{socket, POLLIN, 0};
        if (left.count() <= 0 || ::poll(&polled, 1, static_cast<int>(left.count())) <= 0)
            return fail(ErrorCode::timed_out,
                        "the container's SSH service did not name itself in time");
        char byte = 0;
        if (::recv(socket, &byte, 1, 0) != 1)
            return fail(ErrorCode::unavailable,
                        "the container's SSH service closed the connection; is openssh-server in "
                        "the image?");
        line += byte;
    }
    return line;
}

}  // namespace

Result<std::unique_ptr<LoginService>> LoginService::start(exec::AgentLink& agents) {
    Fd events(::epoll_create1(EPOLL_CLOEXEC));
    Fd stopping(::eventfd(0, EFD_CLOEXEC));
    if (!events || !stopping)
        return fail(system_error("make the SSH service's event queue", errno));
    std::unique_ptr<LoginService> service(
        new LoginService(agents, std::move(events), std::move(stopping)));
    epoll_event stop{.events = EPOLLIN, .data = {.u64 = stop_key}};
    if (::epoll_ctl(service->events_.get(), EPOLL_CTL_ADD, service->stopping_.get(), &stop) != 0)
        return fail(system_error("watch for the end", errno));
    for (int count = 0; count < threads; ++count)
        service->threads_.emplace_back([raw = service.get()] { raw->serve(); });
    for (int count = 0; count < wakers; ++count)
        service->threads_.emplace_back(
            [raw = service.get()](const std::stop_token& over) { raw->wake_asked_for(over); });
    return service;
}

LoginService::~LoginService() {
    stop();
}

void LoginService::stop() {
    (void)::eventfd_write(stopping_.get(), 1);
    over_.request_stop();
    for (auto& thread : threads_) thread.request_stop();
    threads_.clear();
    admissions_.clear();  // nobody adds one any more
}

Result<> LoginService::watch(int fd, std::uint64_t key, bool again) const {
    epoll_event event{.events = EPOLLIN | EPOLLONESHOT, .data = {.u64 = key}};
    if (::epoll_ctl(events_.get(), again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0)
        return fail(system_error("watch a socket", errno));
    return {};
}

Result<> LoginService::open(std::string_view id, std::int64_t port) {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : entries_) {
        if (!entry->listener || entry->id != id) continue;
        entry->wake = nullptr;  // it runs
        return {};
    }
    BERTH_TRY(fault::at("ssh.listen"));
    auto listener = BERTH_TRY(listen_on(port));
    auto entry = std::make_shared<Entry>(
        Entry{.id = std::string(id), .listener = std::move(listener), .login = nullptr});
    const auto key = next_key_++;
    BERTH_TRY(watch(entry->listener.get(), key, false));
    entries_.emplace(key, std::move(entry));
    return {};
}

Result<> LoginService::await(std::string_view id, std::int64_t port, Wake wake) {
    BERTH_TRY(open(id, port));
    const std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : entries_) {
        if (entry->listener && entry->id == id) entry->wake = std::move(wake);
    }
    return {};
}

void LoginService::close(std::string_view id) {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [id](const auto& item) {
        if (!item.second->listener || item.second->id != id) return false;
        // Whoever is accepting a login just now still has the entry, and the port is to be free.
        (void)::shutdown(item.second->listener.get(), SHUT_RDWR);
        return true;
    });
    if (const auto found = last_uses_.find(id); found != last_uses_.end()) last_uses_.erase(found);
}

LoginUse LoginService::use(std::string_view id, std::int64_t port) {
    LoginUse use;
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = last_uses_.find(id); found != last_uses_.end())
            use.last = found->second;
    }
    const auto connected = is_connected_to(port);
    use.open = !connected || *connected;  // what cannot be known is no reason to stop anything
    return use;
}

void LoginService::serve() {
    for (;;) {
        epoll_event event{};
        const int got = ::epoll_wait(events_.get(), &event, 1, -1);
        if (got < 0 && errno != EINTR)
            return log::error("ssh: the event queue failed", {{"errno", std::to_string(errno)}});
        if (got == 1 && event.data.u64 == stop_key) return;
        if (got == 1) handle(event.data.u64);
    }
}

void LoginService::handle(std::uint64_t key) {
    std::shared_ptr<Entry> entry;
    {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(key);
        if (found == entries_.end()) return;
        entry = found->second;
        if (entry->login) {  // it has ended
            // Of one that was deleted meanwhile nothing is kept.
            if (const auto last = last_uses_.find(entry->id); last != last_uses_.end())
                last->second = std::chrono::system_clock::now();
            entries_.erase(found);
            return;
        }
    }
    Fd client(::accept4(entry->listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client && is_shortage(errno)) {
        pollfd over{stopping_.get(), POLLIN, 0};
        (void)::poll(&over, 1, static_cast<int>(accept_pause.count()));
    }
    // Another thread may take the next one meanwhile.
    (void)watch(entry->listener.get(), key, true);
    if (client) keep_waiting(entry, std::move(client));
}

void LoginService::keep_waiting(const std::shared_ptr<Entry>& entry, Fd client) {
    const std::lock_guard lock(mutex_);
    auto& line = entry->wake ? entry->asleep : entry->waiting;
    // One more is closed: so many cannot all log in then.
    if (line.size() >= logins_per_container_max) return;
    line.push_back(std::move(client));
    if (!entry->wake) return begin_admission(entry);
    if (!std::exchange(entry->waking, true)) {
        to_wake_.push_back(entry);
        to_wake_filled_.notify_one();
    }
}

void LoginService::begin_admission(const std::shared_ptr<Entry>& entry) {
    std::erase_if(admissions_,
                  [](const auto& one) { return one.wait_for(0s) == std::future_status::ready; });
    if (entry->waiting.empty() || entry->served) return;
    try {
        admissions_.push_back(std::async(std::launch::async, [this, entry = entry]() mutable {
            admit_waiting(*entry, over_.get_token());
            entry.reset();  // with its listener, and not only when the next login comes
        }));
        entry->served = true;
    } catch (const std::system_error& error) {  // too many threads
        entry->waiting.clear();
        log::warning("ssh: no login could be served",
                     {{"container", entry->id}, {"cause", error.what()}});
    }
}

void LoginService::admit_waiting(Entry& entry, const std::stop_token& stopping) {
    bool fine = true;
    for (;;) {
        Fd client;
        {
            const std::lock_guard lock(mutex_);
            if (!fine) entry.waiting.clear();  // what is in one's way is in the others', too
            entry.served = !entry.waiting.empty();
            if (!entry.served) return;
            client = std::move(entry.waiting.front());
            entry.waiting.pop_front();
        }
        fine = admit(entry.id, client, stopping);
    }
}

void LoginService::wake_asked_for(const std::stop_token& stopping) {
    for (;;) {
        std::shared_ptr<Entry> entry;
        Wake wake;
        {
            std::unique_lock lock(mutex_);
            if (!to_wake_filled_.wait(lock, stopping, [this] { return !to_wake_.empty(); })) return;
            if (stopping.stop_requested()) return;
            entry = std::move(to_wake_.front());
            to_wake_.pop_front();
            wake = entry->wake;
        }
        const auto woken = wake ? wake(stopping) : Result<>();
        if (!woken)
            log::warning("ssh: a container was not woken",
                         {{"container", entry->id}, {"cause", woken.error().message}});
        const std::lock_guard lock(mutex_);
        entry->waking = false;
        if (woken) std::ranges::move(entry->asleep, std::back_inserter(entry->waiting));
        entry->asleep.clear();
        begin_admission(entry);
    }
}

bool LoginService::admit(const std::string& id, const Fd& client, const std::stop_token& stopping) {
    {
        const std::lock_guard lock(mutex_);
        last_uses_[id] = std::chrono::system_clock::now();
        const auto open = std::ranges::count_if(entries_, [&id](const auto& item) {
            return item.second->login && item.second->id == id;
        });
        if (static_cast<std::size_t>(open) >= logins_per_container_max) {
            log::warning("ssh: too many logins are open",
                         {{"container", id}, {"max", std::to_string(logins_per_container_max)}});
            return false;
        }
    }
    const Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    auto login = agents_.launch(
        id, {.argv = login_command(), .directory = "/", .lasting = true},
        {.input = client.get(), .output = client.get(), .errors = nothing.get()}, stopping);
    if (!login) {
        log::warning("ssh: no login could be served",
                     {{"container", id}, {"cause", login.error().message}});
        (void)::shutdown(client.get(), SHUT_RDWR);  // a helper that does not answer has it, too
        return false;
    }
    const std::lock_guard lock(mutex_);
    const auto key = next_key_++;
    const int reports = login->reports();
    entries_.emplace(key, std::make_shared<Entry>(
                              Entry{.id = id,
                                    .listener = {},
                                    .login = std::make_unique<exec::Running>(*std::move(login))}));
    if (!watch(reports, key, false)) entries_.erase(key);
    return true;
}

Result<> LoginService::prove(std::int64_t port) {
    BERTH_TRY(fault::at("ssh.prove"));
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!socket ||
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
        return fail(system_error("connect to the container's SSH port",
                                 errno));  // NOLINT: sockaddr's own idiom
    const auto line = BERTH_TRY(first_line(socket.get()));
    if (!line.starts_with("SSH-2.0-"))
        return fail(ErrorCode::unavailable,
                    "the container's SSH port answers with something else than SSH");
    return {};
}

}  // namespace berth::ssh
