// SPDX-License-Identifier: Apache-2.0
// An HTTP server on a free port, and a client that says whatever bytes it is given.
#pragma once

#include "base/http_server.h"
#include "tests/support/catch.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>

namespace berth::test {

/// CHECK for threads of the server's: Catch2 counts in one thread alone. The client sees it as a
/// 500 or as an answer cut short.
inline void must(bool holds) {
    if (!holds) throw std::logic_error("what a handler expects does not hold");
}

inline std::string json_error(int status, std::string_view message) {
    return R"({"status":)" + std::to_string(status) + R"(,"why":")" + std::string(message) + "\"}";
}

inline std::unique_ptr<HttpServer> serve(HttpServer::Handler handler,
                                         HttpServerOptions options = {}) {
    options.error_body = json_error;
    auto server = HttpServer::listen(TcpEndpoint{}, std::move(handler), std::move(options));
    REQUIRE(server);
    return *std::move(server);
}

inline Fd connect_to(const HttpServer& server) {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = ::htons(server.port());
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    return socket;
}

inline void say(const Fd& socket, std::string_view text) {
    REQUIRE(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
}

/// Sends bytes as they are, and reads until the server closes.
inline std::string raw(const HttpServer& server, std::string_view text) {
    const Fd socket = connect_to(server);
    say(socket, text);
    std::string answer;
    std::array<char, 4096> chunk{};
    for (;;) {
        const ssize_t got = ::recv(socket.get(), chunk.data(), chunk.size(), 0);
        if (got <= 0) return answer;
        answer.append(chunk.data(), static_cast<std::size_t>(got));
    }
}

/// Waits until stop is requested; the test's own time limit is the only other end.
inline void wait_for_stop(const std::stop_token& stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    (void)never.wait(lock, stop, [] { return false; });
}

}  // namespace berth::test
