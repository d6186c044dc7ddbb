// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/listener.h"

#include "base/files.h"
#include "base/keepalive.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr int backlog = 65535;  // cut by net.core.somaxconn
// A client that says nothing costs no descriptor for that long (TCP_DEFER_ACCEPT, tcp(7)).
constexpr int silent_seconds = 1;
constexpr int first_inherited = 3;  // SD_LISTEN_FDS_START
constexpr int inherited_max = 64;

Result<> set(const Fd& socket, int level, int option, int value, const char* doing) {
    if (::setsockopt(socket.get(), level, option, &value, sizeof value) == 0) return {};
    return fail(system_error(doing, errno));
}

/// Accepted sockets have these options from the one that listens.
Result<> prepare(const Fd& socket) {
    BERTH_TRY(set(socket, IPPROTO_TCP, TCP_NODELAY, 1, "set TCP_NODELAY"));
    BERTH_TRY(set(socket, IPPROTO_TCP, TCP_DEFER_ACCEPT, silent_seconds, "set TCP_DEFER_ACCEPT"));
    BERTH_TRY(keep_alive(socket));
    const int flags = ::fcntl(socket.get(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
        return fail(system_error("set O_NONBLOCK", errno));
    }
    return {};
}

Result<SocketAddress> address_of(const Fd& socket) {
    KernelAddress address;
    if (::getsockname(socket.get(), address.get(), &address.size) != 0) {
        return fail(system_error("ask for a socket's address", errno));
    }
    const auto known = SocketAddress::of(address);
    if (!known) return fail(ErrorCode::unsupported, "the socket is not of IPv4 or IPv6");
    return *known;
}

Result<Fd> listen_once(const SocketAddress& address) {
    const KernelAddress kernel = address.to_kernel();
    Fd socket(::socket(kernel.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return fail(system_error("make a socket", errno));
    BERTH_TRY(set(socket, SOL_SOCKET, SO_REUSEADDR, 1, "set SO_REUSEADDR"));
    BERTH_TRY(set(socket, SOL_SOCKET, SO_REUSEPORT, 1, "set SO_REUSEPORT"));
    if (address.is_v6()) {
        BERTH_TRY(set(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0, "set IPV6_V6ONLY"));
    }
    BERTH_TRY(prepare(socket));
    if (::bind(socket.get(), kernel.get(), kernel.size) != 0) {
        const int problem = errno;
        Error error = system_error(fmt::format("listen on {}", address.to_string()), problem);
        if (problem == EACCES) {
            return fail(std::move(error).next(
                "give it CAP_NET_BIND_SERVICE, or let systemd listen (berth-sentinel.socket)"));
        }
        return fail(std::move(error));
    }
    if (::listen(socket.get(), backlog) != 0) return fail(system_error("listen", errno));
    return socket;
}

/// The number of an environment variable; nothing when there is none.
std::optional<int> number_in(const char* variable) {
    const char* const text = ::getenv(variable);  // NOLINT: before any thread is started
    if (text == nullptr) return std::nullopt;
    int value = 0;
    const char* const end = text + std::strlen(text);
    const auto [stop, problem] = std::from_chars(text, end, value);
    if (problem != std::errc() || stop != end) return std::nullopt;
    return value;
}

}  // namespace

Result<> give_each(Listener& listener, std::size_t loops) {
    const std::size_t own = listener.sockets.size();
    if (own < loops) listener.shared = true;
    for (std::size_t loop = own; loop < loops; ++loop) {
        listener.sockets.emplace_back(
            ::fcntl(listener.sockets[loop % own].get(), F_DUPFD_CLOEXEC, first_inherited));
        if (!listener.sockets.back()) return fail(system_error("copy a descriptor", errno));
    }
    return {};
}

Result<Listener> listen_on(const SocketAddress& address, std::size_t loops) {
    Listener listener{.address = address};
    for (std::size_t loop = 0; loop < loops; ++loop) {
        listener.sockets.push_back(BERTH_TRY(listen_once(listener.address)));
        if (loop == 0) listener.address = BERTH_TRY(address_of(listener.sockets[0]));
    }
    return listener;
}

Result<std::vector<Listener>> take_inherited_listeners() {
    const auto process = number_in("LISTEN_PID");
    const auto count = number_in("LISTEN_FDS");
    for (const auto* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) {
        (void)::unsetenv(variable);  // NOLINT: before any thread is started
    }
    std::vector<Listener> listeners;
    if (process != ::getpid() || !count) return listeners;
    if (*count < 0 || *count > inherited_max) {
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("LISTEN_FDS is {}, and at most {} are taken", *count, inherited_max));
    }
    for (int number = first_inherited; number < first_inherited + *count; ++number) {
        Fd socket(number);
        (void)::fcntl(number, F_SETFD, FD_CLOEXEC);
        int listening = 0;
        socklen_t size = sizeof listening;
        if (::getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 ||
            listening == 0) {
            return fail(
                ErrorCode::invalid_argument,
                fmt::format("descriptor {}, of LISTEN_FDS, is no socket that listens", number));
        }
        BERTH_TRY(prepare(socket));
        const auto address = BERTH_TRY(address_of(socket));
        // Several of one address (ReusePort) are one listener's, so that each loop has its own.
        auto listener = std::ranges::find(listeners, address, &Listener::address);
        if (listener == listeners.end()) {
            listener = listeners.insert(listener, {.address = address, .shared = true});
        }
        listener->sockets.push_back(std::move(socket));
    }
    return listeners;
}

}  // namespace berth::sentinel
