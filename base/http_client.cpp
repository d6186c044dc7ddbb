// SPDX-License-Identifier: Apache-2.0
#include "base/http_client.h"

#include "base/http_dial.h"
#include "base/http_socket.h"

#include <fmt/format.h>
#include <httplib.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace berth {
namespace {

using http::milliseconds;
using http::SteadyTime;
using http::until;
using http::wait_for;

/// More connections than this are closed after use instead of kept.
constexpr std::size_t idle_connections_max = 32;
/// Less than HttpServerOptions::idle_max, so that it is rarely the server who closes first.
constexpr std::chrono::seconds idle_max{30};
constexpr std::chrono::seconds connect_timeout{2};
/// Of an answer's head, and of what frames two pieces of its body.
constexpr std::size_t head_bytes_max = 16 * 1024;
constexpr std::size_t write_buffer_bytes = 64 * 1024;
constexpr int send_flags = MSG_NOSIGNAL | MSG_DONTWAIT;

/// Opens the one function that writes a request to a stream and reads the answer from it.
class Protocol final : public httplib::ClientImpl {
public:
    using ClientImpl::ClientImpl;
    using ClientImpl::process_request;
};

httplib::Request translate(const HttpRequest& request, bool is_unix) {
    httplib::Request out;
    out.method = request.method;
    out.path = request.query.empty() ? request.path : request.path + "?" + request.query;
    out.body = request.body;
    for (const auto& [name, value] : request.headers) out.headers.emplace(name, value);
    if (is_unix) out.headers.emplace("Host", "localhost");
    return out;
}

HttpResponse translate(const httplib::Response& from, std::string body) {
    HttpResponse response{.status = from.status, .body = std::move(body)};
    for (const auto& [name, value] : from.headers) {
        response.headers.emplace(http::to_lower(name), value);
    }
    return response;
}

}  // namespace

/// One socket, and cpp-httplib's view of it. Waits only in poll(2), which interrupt() ends.
class HttpClient::Connection final : public httplib::Stream {
public:
    Connection(Fd socket, const std::string& host, int port)
        : protocol_(host, port), socket_(std::move(socket)) {
        protocol_.set_decompress(false);
    }

    enum class Outcome { answered, broken, late, too_large };
    struct Answer {
        Outcome outcome = Outcome::broken;
        HttpResponse response = {};
        std::string_view why = {};
    };

    /// From another thread: whatever this connection does ends now, and nothing more can be done.
    void interrupt() { (void)::shutdown(socket_.get(), SHUT_RDWR); }

    [[nodiscard]] int connect(const http::Address& address, const std::stop_token& cancelled) {
        const auto deadline = std::chrono::steady_clock::now() + connect_timeout;
        return http::connect_socket(socket_, address, deadline, cancelled);
    }

    /// From now on its bytes go through that.
    void use(std::unique_ptr<HttpSecurity> security) { security_ = std::move(security); }

    /// Not one byte of the last request went out: nobody has seen it.
    [[nodiscard]] bool sent_nothing() const { return sent_bytes_ == 0; }
    /// Another request may follow.
    [[nodiscard]] bool reusable() const { return reusable_; }
    void rest() { idle_since_ = std::chrono::steady_clock::now(); }
    /// The server has closed it, or says what nobody asked for, or may close it any moment.
    [[nodiscard]] bool is_stale() const {
        char byte = 0;
        return std::chrono::steady_clock::now() - idle_since_ >= idle_max ||
               ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
    }

    Answer converse(httplib::Request request, std::shared_ptr<const int> file,
                    const HttpSendOptions& options) {
        timeout_ = options.read_timeout;
        file_ = std::move(file);
        sent_bytes_ = 0;
        reusable_ = late_ = false;
        begin_ = end_ = 0;
        unsent_.clear();
        bytes_left_ = head_bytes_max;
        Body body{.options = options};
        httplib::Response response;
        request.response_handler = [&](const httplib::Response& head) {
            body.streamed = options.on_body && head.status == 200;
            return true;
        };
        request.content_receiver = [&](const char* bytes, std::size_t count, std::uint64_t,
                                       std::uint64_t) {
            bytes_left_ = head_bytes_max;
            return body.take({bytes, count});
        };
        auto error = httplib::Error::Success;
        const bool whole = protocol_.process_request(*this, request, response, false, error);
        if (!whole && !body.broken_off) return {.outcome = why_not(body), .why = explain(error)};
        const auto wish = response.get_header_value("Connection");
        const bool framed = response.has_header("Content-Length") ||
                            response.has_header("Transfer-Encoding") || response.status == 204;
        reusable_ = whole && framed && begin_ == end_ && response.version == "HTTP/1.1" &&
                    http::to_lower(wish) != "close";
        return {.outcome = Outcome::answered,
                .response = translate(response, std::move(body.text))};
    }

    // httplib::Stream
    [[nodiscard]] bool is_readable() const override { return begin_ != end_; }
    [[nodiscard]] bool is_writable() const override { return true; }
    ssize_t read(char* to, std::size_t size) override {
        if (begin_ == end_) {
            if (!flush()) return -1;
            if (const ssize_t got = fill(); got <= 0) return got;
        }
        const std::size_t count = std::min({size, end_ - begin_, bytes_left_});
        std::copy_n(buffer_.data() + begin_, count, to);
        begin_ += count;
        bytes_left_ -= count;
        return count == 0 ? -1 : static_cast<ssize_t>(count);
    }
    ssize_t write(const char* bytes, std::size_t size) override {
        unsent_.append(bytes, size);
        if (unsent_.size() >= write_buffer_bytes && !flush()) return -1;
        return static_cast<ssize_t>(size);
    }
    void get_remote_ip_and_port(std::string&, int&) const override {}
    void get_local_ip_and_port(std::string&, int&) const override {}
    [[nodiscard]] socket_t socket() const override { return socket_.get(); }

private:
    /// What becomes of an answer's body.
    struct Body {
        const HttpSendOptions& options;
        bool streamed = false, broken_off = false, too_large = false;
        std::size_t bytes = 0;
        std::string text = {};

        bool take(std::string_view piece) {
            too_large = piece.size() > options.body_bytes_max - bytes;
            if (too_large) return false;
            bytes += piece.size();
            if (!streamed) text += piece;
            broken_off = streamed && !options.on_body(piece);
            return !broken_off;
        }
    };

    [[nodiscard]] Outcome why_not(const Body& body) const {
        if (body.too_large) return Outcome::too_large;
        return late_ ? Outcome::late : Outcome::broken;
    }

    static std::string_view explain(httplib::Error error) {
        return error == httplib::Error::Write ? "it took no more of the request"
                                              : "the answer ended early or is malformed";
    }

    /// The file goes along with the first byte.
    ssize_t send(std::string_view bytes) {
        if (security_) return security_->send(bytes.data(), bytes.size());
        if (!file_) return ::send(socket_.get(), bytes.data(), bytes.size(), send_flags);
        std::string copy(bytes);  // of what is small, because sendmsg(2) wants to write to it
        iovec part{copy.data(), copy.size()};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> along{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = along.data();
        message.msg_controllen = along.size();
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), file_.get(), sizeof(int));
        return ::sendmsg(socket_.get(), &message, send_flags);
    }

    bool flush() {
        std::string_view rest = unsent_;
        while (!rest.empty()) {
            const ssize_t sent = send(rest);
            if (sent > 0) {
                file_.reset();
                rest.remove_prefix(static_cast<std::size_t>(sent));
                sent_bytes_ += static_cast<std::size_t>(sent);
                continue;
            }
            if (sent == 0 || (errno != EAGAIN && errno != EINTR)) break;
            late_ = !wait_for(socket_.get(), POLLOUT, timeout_);
            if (late_) break;
        }
        const bool whole = rest.empty();
        unsent_.clear();
        return whole;
    }

    /// 0 at the end of the stream, negative when it broke or time is up.
    ssize_t fill() {
        for (;;) {
            const ssize_t got =
                security_ ? security_->receive(buffer_.data(), buffer_.size())
                          : ::recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
            if (got > 0) {
                begin_ = 0;
                end_ = static_cast<std::size_t>(got);
                return got;
            }
            if (got == 0 || (errno != EAGAIN && errno != EINTR)) return got;
            late_ = !wait_for(socket_.get(), POLLIN, timeout_);
            if (late_) return -1;
        }
    }

    Protocol protocol_;
    Fd socket_;
    std::unique_ptr<HttpSecurity> security_;
    std::shared_ptr<const int> file_;  // until it is sent
    milliseconds timeout_{0};
    SteadyTime idle_since_;
    std::size_t sent_bytes_ = 0;
    bool reusable_ = false, late_ = false;
    std::array<char, 16 * 1024> buffer_{};
    std::size_t begin_ = 0, end_ = 0, bytes_left_ = 0;
    std::string unsent_;
};

HttpClient::HttpClient(std::string socket_path) : HttpClient(std::move(socket_path), 0) {}

HttpClient::HttpClient(std::string address, std::uint16_t port, Secure secure)
    : address_(std::move(address)), port_(port), secure_(std::move(secure)) {}

HttpClient::~HttpClient() = default;

/// A kept one that is still good, or nullptr.
std::unique_ptr<HttpClient::Connection> HttpClient::take() {
    const std::scoped_lock lock(mutex_);
    while (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        if (!connection->is_stale()) return connection;
    }
    return nullptr;
}

void HttpClient::give_back(std::unique_ptr<Connection> connection) {
    connection->rest();
    const std::scoped_lock lock(mutex_);
    if (idle_.size() < idle_connections_max) idle_.push_back(std::move(connection));
}

std::string HttpClient::place() const {
    return port_ == 0 ? address_ : fmt::format("{}:{}", address_, port_);
}

std::unexpected<Error> HttpClient::cancelled() const {
    return fail(ErrorCode::unavailable, fmt::format("the call to {} was cancelled", place()));
}

std::unexpected<Error> HttpClient::not_connected(int problem) const {
    if (problem == ECANCELED) return cancelled();
    if (problem == EACCES) {
        return fail(ErrorCode::denied, fmt::format("no permission to connect to {}", place()));
    }
    return fail(ErrorCode::unavailable, fmt::format("nobody answers at {}", place()));
}

Result<HttpResponse> HttpClient::send(const HttpRequest& request, const HttpSendOptions& options) {
    for (;;) {
        auto connection = take();
        const bool kept = connection != nullptr;
        http::Address address;
        if (!kept) {
            address = BERTH_TRY(http::resolve(address_, port_));
            connection = std::make_unique<Connection>(BERTH_TRY(http::make_socket(address)),
                                                      address_, port_);
        }
        Connection::Answer answer;
        {
            // From here on a cancel breaks off whatever is going on, also one that came before:
            // then it happens in this line.
            const std::stop_callback cancel(options.cancelled, [&] { connection->interrupt(); });
            const int problem = kept ? 0 : connection->connect(address, options.cancelled);
            if (problem != 0) return not_connected(problem);
            if (!kept && secure_) {
                auto secured = secure_(connection->socket());
                if (!secured && !options.cancelled.stop_requested()) {
                    return fail(std::move(secured).error().in(place()));
                }
                if (secured) connection->use(*std::move(secured));
            }
            if (options.cancelled.stop_requested()) return cancelled();
            answer = connection->converse(translate(request, port_ == 0), request.file, options);
        }
        const bool stopped = options.cancelled.stop_requested();
        using enum Connection::Outcome;
        if (answer.outcome == answered) {
            if (connection->reusable() && !stopped) give_back(std::move(connection));
            return std::move(answer.response);
        }
        if (stopped) return cancelled();
        if (answer.outcome == late) {
            return fail(ErrorCode::timed_out, fmt::format("{} did not answer within {} ms", place(),
                                                          options.read_timeout.count()));
        }
        if (answer.outcome == too_large) {
            return fail(ErrorCode::unavailable, fmt::format("{} answered with more than {} bytes",
                                                            place(), options.body_bytes_max));
        }
        if (kept && connection->sent_nothing()) continue;  // closed since take() looked
        return fail(
            ErrorCode::unavailable,
            fmt::format("the connection to {} broke before it answered ({})", place(), answer.why));
    }
}

}  // namespace berth
