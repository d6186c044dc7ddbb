// SPDX-License-Identifier: Apache-2.0
#include "base/http_client.h"

#include <fmt/format.h>
#include <httplib.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace berth {
namespace {

/// More connections than this are closed after use instead of kept.
constexpr std::size_t idle_connections_max = 32;
constexpr std::chrono::seconds connect_timeout{2};

}  // namespace

class HttpClient::Connection : public httplib::ClientImpl {
public:
    using ClientImpl::ClientImpl;
};

HttpClient::HttpClient(std::string socket_path) : HttpClient(std::move(socket_path), 0) {}

HttpClient::HttpClient(std::string address, std::uint16_t port)
    : address_(std::move(address)), port_(port) {
    // cpp-httplib writes without MSG_NOSIGNAL; its server does the same as this.
    (void)::signal(SIGPIPE, SIG_IGN);
}

HttpClient::~HttpClient() = default;

std::unique_ptr<HttpClient::Connection> HttpClient::take() {
    {
        const std::scoped_lock lock(mutex_);
        if (!idle_.empty()) {
            auto connection = std::move(idle_.back());
            idle_.pop_back();
            return connection;
        }
    }
    // A unix socket needs a port too, because 0 is refused before the family is looked at.
    auto connection = std::make_unique<Connection>(address_, port_ == 0 ? 80 : port_);
    if (port_ == 0) connection->set_address_family(AF_UNIX);
    connection->set_tcp_nodelay(port_ != 0);
    connection->set_keep_alive(true);
    connection->set_connection_timeout(connect_timeout);
    return connection;
}

void HttpClient::give_back(std::unique_ptr<Connection> connection) {
    const std::scoped_lock lock(mutex_);
    if (idle_.size() < idle_connections_max) idle_.push_back(std::move(connection));
}

Result<HttpResponse> HttpClient::send(const HttpRequest& request, const HttpSendOptions& options) {
    const std::string place = port_ == 0 ? address_ : fmt::format("{}:{}", address_, port_);
    if (options.cancelled.stop_requested()) {
        return fail(ErrorCode::unavailable, fmt::format("the call to {} was cancelled", place));
    }
    httplib::Request outgoing;
    outgoing.method = request.method;
    outgoing.path = request.query.empty() ? request.path : request.path + "?" + request.query;
    outgoing.body = request.body;
    for (const auto& [name, value] : request.headers) outgoing.headers.emplace(name, value);
    if (port_ == 0) outgoing.headers.emplace("Host", "localhost");

    auto connection = take();
    connection->set_read_timeout(options.read_timeout);
    connection->set_write_timeout(options.read_timeout);
    const auto begun = std::chrono::steady_clock::now();
    const auto answer = [&] {
        const std::stop_callback cancel(options.cancelled, [&] { connection->stop(); });
        return connection->send(outgoing);
    }();
    if (answer) {
        HttpResponse response{.status = answer->status, .body = answer->body};
        for (const auto& [name, value] : answer->headers) {
            std::string lower = name;
            for (char& c : lower)
                c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            response.headers.emplace(std::move(lower), value);
        }
        give_back(std::move(connection));
        return response;
    }
    if (options.cancelled.stop_requested()) {
        return fail(ErrorCode::unavailable, fmt::format("the call to {} was cancelled", place));
    }
    const auto why = answer.error();
    if (why == httplib::Error::Connection || why == httplib::Error::ConnectionTimeout) {
        if (port_ == 0 && ::access(address_.c_str(), W_OK) != 0 && errno == EACCES) {
            return fail(ErrorCode::denied, fmt::format("no permission to connect to {}", place));
        }
        return fail(ErrorCode::unavailable, fmt::format("nobody answers at {}", place));
    }
    if (std::chrono::steady_clock::now() - begun >= options.read_timeout) {
        return fail(ErrorCode::timed_out, fmt::format("{} did not answer within {} ms", place,
                                                      options.read_timeout.count()));
    }
    return fail(ErrorCode::unavailable, fmt::format("the connection to {} broke before it answered "
                                                    "({})",
                                                    place, httplib::to_string(why)));
}

}  // namespace berth
