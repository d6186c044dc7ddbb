// SPDX-License-Identifier: Apache-2.0
#include "base/http_dial.h"

#include "base/files.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace berth::http {
namespace {

/// How often a unix socket whose queue is full is tried again; nothing tells when it has room.
constexpr milliseconds full_queue_pause{5};

Result<Address> unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{}' cannot be a socket: a path has 1 to {} bytes", path,
                                sizeof address.sun_path - 1));
    }
    std::ranges::copy(path, address.sun_path);
    Address out{.length = sizeof address};
    std::memcpy(&out.storage, &address, sizeof address);
    return out;
}

}  // namespace

Result<Address> resolve(const std::string& address, std::uint16_t port) {
    if (port == 0) return unix_address(address);
    addrinfo wanted{};
    wanted.ai_flags = AI_NUMERICSERV;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int found = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &wanted, &list);
    if (found != 0) {
        return fail(make_error(ErrorCode::unavailable, ::gai_strerror(found))
                        .in(fmt::format("find the address of '{}'", address)));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> first(list, ::freeaddrinfo);
    Address out{.length = first->ai_addrlen};
    std::memcpy(&out.storage, first->ai_addr, first->ai_addrlen);
    return out;
}

Result<Fd> make_socket(const Address& address) {
    const int family = address.storage.ss_family;
    Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fail(system_error("make a socket", errno));
    const int on = 1;
    if (family != AF_UNIX) {
        (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return socket;
}

int connect_socket(const Fd& socket, const Address& address, SteadyTime deadline,
                   const std::stop_token& cancelled) {
    const auto* generic = reinterpret_cast<const sockaddr*>(&address.storage);  // NOLINT: sockets
    for (;;) {
        if (::connect(socket.get(), generic, address.length) == 0) break;
        if (errno == EINPROGRESS) {
            // A shutdown(2) before connect(2) does nothing, so look before and wait after.
            if (cancelled.stop_requested()) return ECANCELED;
            if (!wait_for(socket.get(), POLLOUT, until(deadline))) return ETIMEDOUT;
            int problem = 0;
            socklen_t length = sizeof problem;
            (void)::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &problem, &length);
            if (problem != 0) return problem;
            break;
        }
        if (errno != EAGAIN && errno != EINTR) return errno;
        if (cancelled.stop_requested()) return ECANCELED;
        if (until(deadline).count() <= 0) return ETIMEDOUT;
        (void)::poll(nullptr, 0, static_cast<int>(full_queue_pause.count()));
    }
    return cancelled.stop_requested() ? ECANCELED : 0;
}

}  // namespace berth::http
