// SPDX-License-Identifier: Apache-2.0
// Serves HTTP/1.1 on a TCP address or a unix socket: a thread for each connection, up to a bound.
// cpp-httplib reads and writes the protocol; sockets, threads, limits and stopping are ours.
#pragma once

#include "base/http_listener.h"
#include "base/http_message.h"
#include "base/http_security.h"
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
    /// Each costs a thread. One more takes the place of the one that has waited longest without a
    /// whole request; when there is none such, it is answered with 503.
    std::size_t connections_max = 512;
    /// Of one IPv4 address or IPv6 /64, connections without a whole request: one more takes the
    /// place of the oldest of them.
    std::size_t strangers_per_source_max = 512;
    std::size_t body_bytes_max = 16 * 1024 * 1024;        // more is answered with 413
    std::chrono::milliseconds first_request_max{10'000};  // until the first byte of the first one
    std::chrono::milliseconds idle_max{60'000};           // between two requests of a connection
    std::chrono::milliseconds receive_max{60'000};        // for one request to arrive in full
    std::chrono::milliseconds send_max{60'000};           // for the peer to take some bytes
    /// Makes the JSON body of an answer that no handler gave: a bad request, 413, 500, 503.
    std::function<std::string(int status, std::string_view message)> error_body = {};
    /// Empty: the bytes are the socket's. Null for a connection that is to be closed.
    std::function<std::unique_ptr<HttpSecurity>(int socket)> secure = {};
};

class HttpServer {
public:
    /// Called on the connection's thread, so concurrently. What it throws becomes a 500. The header
    /// "connection: close" in what it returns ends the connection.
    using Handler = std::function<HttpResponse(const HttpRequest&)>;

    /// Serves from the moment it returns. Fails as listen_on() does.
    [[nodiscard]] static Result<std::unique_ptr<HttpServer>> listen(const TcpEndpoint& endpoint,
                                                                    Handler handler,
                                                                    HttpServerOptions options = {});
    [[nodiscard]] static Result<std::unique_ptr<HttpServer>> listen(const UnixEndpoint& endpoint,
                                                                    Handler handler,
                                                                    HttpServerOptions options = {});
    /// On a socket that listens already, and whose file, if it has one, somebody else removes.
    [[nodiscard]] static Result<std::unique_ptr<HttpServer>> listen(Fd listener, Handler handler,
                                                                    HttpServerOptions options = {});

    class Loop;
    HttpServer(std::unique_ptr<Loop> loop, std::string socket_path);
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
    ~HttpServer();

    [[nodiscard]] std::uint16_t port() const;
    /// A copy of the socket that listens.
    [[nodiscard]] Result<Fd> listener() const;
    /// A unix socket's file stays when this ends: another process listens there.
    void keep_path() { socket_path_.clear(); }

    /// Accepts no more, asks running handlers to end (HttpRequest::server_stopping), and returns
    /// when the last answer is out.
    void stop();

private:
    std::unique_ptr<Loop> loop_;
    std::string socket_path_;  // removed at the end; "" for TCP
};

}  // namespace berth
