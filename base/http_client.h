// SPDX-License-Identifier: Apache-2.0
// Sends HTTP requests to one server over TCP or a unix socket, keeping connections open between
// them: one for each caller at a time. The border to cpp-httplib's client.
#pragma once

#include "base/http_message.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <cstdint>
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
};

class HttpClient {
public:
    explicit HttpClient(std::string socket_path);
    HttpClient(std::string address, std::uint16_t port);
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;
    ~HttpClient();

    /// Any status is an answer. unavailable when nobody listens or the connection breaks, denied
    /// when the socket is not ours to use, timed_out when no answer comes. Nothing is sent twice.
    /// Safe from many threads at once.
    [[nodiscard]] Result<HttpResponse> send(const HttpRequest& request,
                                            const HttpSendOptions& options = {});

private:
    class Connection;
    std::unique_ptr<Connection> take();
    void give_back(std::unique_ptr<Connection> connection);

    std::string address_;
    std::uint16_t port_ = 0;  // 0: address_ is the path of a unix socket
    std::mutex mutex_;
    std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace berth
