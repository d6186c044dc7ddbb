// SPDX-License-Identifier: Apache-2.0
// What the HTTP server and client need of a socket besides cpp-httplib.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

namespace berth::http {

using std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

/// True when `events` came (or an error that a following call will report); false when time is up.
[[nodiscard]] bool wait_for(int fd, short events, milliseconds time);

[[nodiscard]] milliseconds until(SteadyTime deadline);

[[nodiscard]] std::string to_lower(std::string text);

using AddressOf = int (*)(int, sockaddr*, socklen_t*);

/// "127.0.0.1:80", "[::1]:80", or "unix"; of getsockname(2) or getpeername(2).
[[nodiscard]] std::string address_text(int socket, AddressOf address_of);

/// Who is at the other end of a unix socket.
[[nodiscard]] std::optional<uid_t> peer_uid_of(int socket);

}  // namespace berth::http
