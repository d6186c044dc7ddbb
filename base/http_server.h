// SPDX-License-Identifier: Apache-2.0
// Serves HTTP/1.1 on a TCP address or a unix socket: a thread for each connection, up to a bound.
// cpp-httplib reads and writes the protocol; sockets, threads, limits and stopping are ours.
#pragma once

#include "base/http_listener.h"
#include "base/http_message.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace berth {

struct HttpServerOptions {
    std::size_t connections_max = 512;  // each costs a thread; one more is answered with 503
    std::size_t body_bytes_max = 16 * 1024 * 1024;  // more is answered with 413
    std::chrono::milliseconds idle_max{60'000};     // between two requests of a connection
    std::chrono::milliseconds receive_max{60'000};  // for one request to arrive in full
    std::chrono::milliseconds send_max{60'000};     // for the peer to take some bytes
    /// Makes the JSON body of an answer that no handler gave: a bad request, 413, 500, 503.
    std::function<std::string(int status, std::string_view message)> error_body = {};
};

class HttpServer {
public:
    /// Called on the connection's thread, so concurrently. What it throws becomes a 500.
    using Handler = std::function<HttpResponse(const HttpRequest&)>;

    /// Serves from the moment it returns. Fails as listen_on() does.
    [[nodiscard]] static Result<std::unique_ptr<HttpServer>> listen(const TcpEndpoint& endpoint,
                                                                    Handler handler,
                                                                    HttpServerOptions options = {});
    [[nodiscard]] static Result<std::unique_ptr<HttpServer>> listen(const UnixEndpoint& endpoint,
                                                                    Handler handler,
                                                                    HttpServerOptions options = {});

    class Loop;
    HttpServer(std::unique_ptr<Loop> loop, std::string socket_path);
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
    ~HttpServer();

    [[nodiscard]] std::uint16_t port() const;

    /// Accepts no more, asks running handlers to end (HttpRequest::server_stopping), and returns
    /// when the last answer is out.
    void stop();

private:
    std::unique_ptr<Loop> loop_;
    std::string socket_path_;  // removed at the end; "" for TCP
};

}  // namespace berth
