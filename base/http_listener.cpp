// SPDX-License-Identifier: Apache-2.0
#include "base/http_listener.h"

#include "base/files.h"

#include <fmt/format.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>

namespace berth {
namespace {

/// Enough for a burst of clients; the kernel caps it at net.core.somaxconn.
constexpr int backlog = 4096;

}  // namespace

Result<Fd> listen_on(const TcpEndpoint& endpoint) {
    const std::string doing = fmt::format("listen on {}:{}", endpoint.address, endpoint.port);
    addrinfo wanted{};
    wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const std::string port = std::to_string(endpoint.port);
    const int found = ::getaddrinfo(endpoint.address.c_str(), port.c_str(), &wanted, &list);
    if (found != 0) {
        return fail(make_error(ErrorCode::invalid_argument, ::gai_strerror(found)).in(doing));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address(list, ::freeaddrinfo);
    Fd socket(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fail(system_error(doing, errno));
    const int on = 1;
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // Inherited by every accepted socket. Without it an answer can wait 40 ms for an
    // acknowledgement.
    (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::bind(socket.get(), address->ai_addr, address->ai_addrlen) != 0 ||
        ::listen(socket.get(), backlog) != 0) {
        if (errno == EADDRINUSE) {
            return fail(make_error(ErrorCode::already_exists, "the port is taken").in(doing));
        }
        return fail(system_error(doing, errno));
    }
    return socket;
}

namespace {

Result<Fd> unix_socket(const std::string& doing) {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fail(system_error(doing, errno));
    return socket;
}

/// Removes a socket file that a dead process left behind, and nothing else.
Result<> clear_the_way(const std::string& path, const sockaddr* address, socklen_t length,
                       const std::string& doing) {
    struct stat found{};
    if (::lstat(path.c_str(), &found) != 0) return {};
    if (!S_ISSOCK(found.st_mode)) {
        return fail(
            make_error(ErrorCode::already_exists, "a file that is no socket is there").in(doing));
    }
    const Fd probe = BERTH_TRY(unix_socket(doing));
    if (::connect(probe.get(), address, length) == 0 || errno != ECONNREFUSED) {
        return fail(
            make_error(ErrorCode::already_exists, "another process answers there").in(doing));
    }
    if (::unlink(path.c_str()) != 0) return fail(system_error(doing, errno));
    return {};
}

Result<> hand_over(const UnixEndpoint& endpoint, const std::string& doing) {
    if (!endpoint.group.empty()) {
        const group* entry = ::getgrnam(endpoint.group.c_str());
        if (entry == nullptr) {
            const auto why = fmt::format("there is no group '{}'", endpoint.group);
            return fail(make_error(ErrorCode::not_found, why).in(doing));
        }
        if (::chown(endpoint.path.c_str(), static_cast<uid_t>(-1), entry->gr_gid) != 0) {
            return fail(system_error(doing, errno));
        }
    }
    if (::chmod(endpoint.path.c_str(), endpoint.mode) != 0) return fail(system_error(doing, errno));
    return {};
}

}  // namespace

Result<Fd> listen_on(const UnixEndpoint& endpoint) {
    const std::string doing = fmt::format("listen on {}", endpoint.path);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (endpoint.path.empty() || endpoint.path.size() >= sizeof address.sun_path) {
        const auto why =
            fmt::format("a socket path has 1 to {} bytes", sizeof address.sun_path - 1);
        return fail(make_error(ErrorCode::invalid_argument, why).in(doing));
    }
    std::ranges::copy(endpoint.path, address.sun_path);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);  // NOLINT: the sockets API
    BERTH_TRY(clear_the_way(endpoint.path, generic, sizeof address, doing));
    Fd socket = BERTH_TRY(unix_socket(doing));
    // bind() gives the file the socket's own mode: nobody gets in before hand_over().
    (void)::fchmod(socket.get(), 0);
    if (::bind(socket.get(), generic, sizeof address) != 0) return fail(system_error(doing, errno));
    if (::listen(socket.get(), backlog) != 0) return fail(system_error(doing, errno));
    BERTH_TRY(hand_over(endpoint, doing));
    return socket;
}

}  // namespace berth
