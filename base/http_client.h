// SPDX-License-Identifier: Apache-2.0
// Sends HTTP requests to one server over TCP or a unix socket, keeping connections open between
// them: one for each caller at a time. The border to cpp-httplib's client, which writes requests
// and reads answers; sockets, limits and cancelling are ours.
#pragma once

#include "base/http_message.h"
#include "base/http_security.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

struct HttpSendOptions {
    std::chrono::milliseconds read_timeout{
        60'000};                     // for the answer to begin, and between its bytes
    std::stop_token cancelled = {};  // breaks the connection off
    /// Gets the body of an answer with status 200 piece by piece as it comes, and
    /// HttpResponse::body stays empty. False breaks the answer off, as if it had ended there.
    std::function<bool(std::string_view)> on_body = {};
    std::size_t body_bytes_max = 64 * 1024 * 1024;  // of the answer; more is `unavailable`
};

class HttpClient {
public:
    /// Agrees on TLS with the server at the other end of that socket, which is connected and does
    /// not wait; an error is the request's.
    using Secure = std::function<Result<std::unique_ptr<HttpSecurity>>(int socket)>;

    explicit HttpClient(std::string socket_path);
    /// Without `secure` the bytes are the socket's.
    HttpClient(std::string address, std::uint16_t port, Secure secure = {});
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;
    ~HttpClient();

    /// The request's file goes along over a unix socket, and over TCP it does not. Any status is an
    /// answer. unavailable when nobody listens or the connection breaks, denied
    /// when the socket is not ours to use, timed_out when no answer comes. Nothing is sent twice: a
    /// kept connection that the server has closed meanwhile is replaced before anything is sent.
    /// Safe from many threads at once.
    [[nodiscard]] Result<HttpResponse> send(const HttpRequest& request,
                                            const HttpSendOptions& options = {});

private:
    class Connection;
    std::unique_ptr<Connection> take();
    void give_back(std::unique_ptr<Connection> connection);
    [[nodiscard]] std::string place() const;
    [[nodiscard]] std::unexpected<Error> cancelled() const;
    [[nodiscard]] std::unexpected<Error> not_connected(int problem) const;

    std::string address_;
    std::uint16_t port_ = 0;  // 0: address_ is the path of a unix socket
    Secure secure_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace berth
