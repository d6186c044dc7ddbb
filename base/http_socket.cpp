// SPDX-License-Identifier: Apache-2.0
#include "base/http_socket.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdint>

namespace berth::http {

bool wait_for(int fd, short events, milliseconds time) {
    pollfd polled{.fd = fd, .events = events, .revents = 0};
    const auto bound = static_cast<int>(std::clamp<std::int64_t>(time.count(), 0, 1 << 30));
    int ready = 0;
    do {
        ready = ::poll(&polled, 1, bound);
    } while (ready < 0 && errno == EINTR);
    return ready != 0;
}

milliseconds until(SteadyTime deadline) {
    return std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
}

std::string to_lower(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

std::string address_text(int socket, AddressOf address_of) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    auto* address = reinterpret_cast<sockaddr*>(&storage);  // NOLINT: the sockets API
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> port{};
    if (address_of(socket, address, &length) != 0 || storage.ss_family == AF_UNIX) return "unix";
    if (::getnameinfo(address, length, host.data(), host.size(), port.data(), port.size(),
                      NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return "unknown";
    }
    const bool six = storage.ss_family == AF_INET6;
    return fmt::format("{}{}{}:{}", six ? "[" : "", host.data(), six ? "]" : "", port.data());
}

std::optional<uid_t> peer_uid_of(int socket) {
    int family = 0;
    socklen_t length = sizeof family;
    if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0 || family != AF_UNIX) {
        return std::nullopt;
    }
    ucred peer{};
    length = sizeof peer;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return std::nullopt;
    return peer.uid;
}

}  // namespace berth::http
