// SPDX-License-Identifier: Apache-2.0
#include "base/http_server.h"

#include "base/accept_failure.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/http_connection.h"
#include "base/http_exchange.h"
#include "base/http_listener.h"
#include "base/http_places.h"
#include "base/http_socket.h"
#include "base/http_watcher.h"
#include "base/log.h"
#include "base/turns.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <httplib.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

namespace berth {
namespace {

using http::address_text;
using http::to_lower;
using http::wait_for;
using std::chrono::milliseconds;

/// Told to clients; nothing counts it.
constexpr std::size_t keep_alive_requests_max = 100'000;
/// How long a connection that got a 503 stays open, and how many such do: closed with its request
/// unread, it would be reset before it has read the answer.
constexpr milliseconds refusal_max{1'000};
constexpr std::size_t refusals_max = 64;

/// The connection this thread serves: cpp-httplib's handlers are given no way back to it.
thread_local http::Connection* serving = nullptr;

struct BodyRefusal {
    int status;
    std::string_view message;
};

/// Reads the body within its bound. A refusal leaves the connection at an unknown place.
std::optional<BodyRefusal> receive_body(const httplib::Request& request,
                                        const httplib::ContentReader* reader, std::size_t bytes_max,
                                        std::string& body) {
    const std::size_t lengths = request.get_header_value_count("Content-Length");
    const std::string length = request.get_header_value("Content-Length");
    const std::size_t codings = request.get_header_value_count("Transfer-Encoding");
    if (lengths + codings == 0) return std::nullopt;
    if (lengths + codings > 1) return BodyRefusal{400, "more than one length of the body"};
    if (codings == 1 && to_lower(request.get_header_value("Transfer-Encoding")) != "chunked") {
        return BodyRefusal{501, "a Transfer-Encoding other than chunked"};
    }
    const bool digits = std::ranges::all_of(length, [](char c) { return c >= '0' && c <= '9'; });
    if (lengths == 1 && (length.empty() || !digits))
        return BodyRefusal{400, "Content-Length is no number"};
    if (length == "0") return std::nullopt;
    if (reader == nullptr) return BodyRefusal{400, "this method takes no body"};
    if (request.is_multipart_form_data()) return BodyRefusal{415, "multipart bodies are not read"};
    constexpr BodyRefusal too_large{413, "the body is too large"};
    if (length.size() > 18 || (lengths == 1 && std::stoull(length) > bytes_max)) return too_large;
    bool fits = true;
    const bool whole = (*reader)([&](const char* bytes, std::size_t count) {
        fits = count <= bytes_max - body.size();
        if (fits) body.append(bytes, count);
        return fits;
    });
    if (!fits) return too_large;
    if (!whole) return BodyRefusal{400, "the body ended early"};
    return std::nullopt;
}

HttpRequest translate(const httplib::Request& from) {
    HttpRequest request;
    request.method = from.method;
    const std::string_view target = from.target;
    const std::size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
    for (const auto& [name, value] : from.headers) request.headers.emplace(to_lower(name), value);
    request.remote = serving->remote;
    request.local = serving->local;
    request.peer_uid = serving->peer_uid;
    request.peer_certificate = serving->peer_certificate();
    request.file = serving->file();
    return request;
}

/// What cpp-httplib would do by itself with these is not wanted: compressing, cutting ranges,
/// matching regular expressions against foreign text, and inventing headers.
void tame(httplib::Request& request) {
    serving->expect_body();
    request.path = "/";
    request.ranges.clear();
    for (const auto* name :
         {"Accept-Encoding", "Range", "REMOTE_ADDR", "REMOTE_PORT", "LOCAL_ADDR", "LOCAL_PORT"}) {
        request.headers.erase(name);
    }
}

}  // namespace

/// The accepting thread, the connections' threads, and cpp-httplib for what is said on them.
class HttpServer::Loop : private httplib::Server {
public:
    Loop(Fd listener, HttpServer::Handler handler, HttpServerOptions options)
        : listener_(std::move(listener)),
          wake_(::eventfd(0, EFD_CLOEXEC)),
          handler_(std::move(handler)),
          options_(std::move(options)),
          open_(options_.connections_max, options_.strangers_per_source_max) {
        const auto with_body = [this](const httplib::Request& request, httplib::Response& response,
                                      const httplib::ContentReader& reader) {
            answer(request, response, &reader);
        };
        const auto without_body = [this](const httplib::Request& request,
                                         httplib::Response& response) {
            answer(request, response, nullptr);
        };
        const std::string every_path = "/";  // see tame()
        Get(every_path, without_body).Options(every_path, without_body);
        Post(every_path, with_body).Put(every_path, with_body);
        Patch(every_path, with_body).Delete(every_path, with_body);
        // The overload for handlers that always handle is ambiguous with a lambda.
        set_error_handler(httplib::Server::HandlerWithResponse(
            [this](const httplib::Request&, httplib::Response& response) {
                explain(response);
                return HandlerResponse::Handled;
            }));
        set_keep_alive_max_count(keep_alive_requests_max);
        set_keep_alive_timeout(
            std::chrono::duration_cast<std::chrono::seconds>(options_.idle_max).count());
        svr_sock_ = listener_.get();  // or streamed answers would take it for shutting down
        accepting_ = std::thread([this] { accept_all(); });
    }
    ~Loop() override { stop_all(); }

    [[nodiscard]] std::uint16_t port() const {
        const std::string address = address_text(listener_.get(), ::getsockname);
        const std::size_t colon = address.rfind(':');
        if (colon == std::string::npos) return 0;
        return static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1)));
    }

    [[nodiscard]] int descriptor() const { return listener_.get(); }

    void stop_all() {
        (void)stopping_.request_stop();
        const std::uint64_t one = 1;
        (void)!::write(wake_.get(), &one, sizeof one);
        std::unique_lock lock(mutex_);
        if (accepting_.joinable()) {
            lock.unlock();
            accepting_.join();
            lock.lock();
        }
        // Ends idle ones, and tells those who watch theirs.
        open_.each([](int socket) { (void)::shutdown(socket, SHUT_RD); });
        all_closed_.wait(lock, [this] { return open_.empty(); });
    }

private:
    void accept_all() {
        while (!stopping_.stop_requested()) {
            std::array<pollfd, 2> polled{{{listener_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
            const int wait = refused_.empty()
                                 ? -1
                                 : static_cast<int>(std::max<std::int64_t>(
                                       http::until(refused_.front().until).count(), 0));
            (void)::poll(polled.data(), polled.size(), wait);
            while (!refused_.empty() && http::until(refused_.front().until).count() <= 0) {
                end_refused();
            }
            if (polled[0].revents == 0) continue;
            KernelAddress peer;
            Fd socket(::accept4(listener_.get(), peer.get(), &peer.size, SOCK_CLOEXEC));
            if (socket) {
                admit(std::move(socket), http::Places::source_of(peer));
            } else if (is_shortage(errno)) {
                log::error("no descriptor for a new connection");
                (void)wait_for(wake_.get(), POLLIN, accept_pause);
            }
        }
        while (!refused_.empty()) end_refused();
    }

    void admit(Fd socket, std::string source) {
        const int number = socket.get();
        {
            const std::scoped_lock lock(mutex_);
            const auto admission = open_.enter(number, std::move(source));
            if (admission.evicted != http::Places::nobody) {
                (void)::shutdown(admission.evicted, SHUT_RDWR);
            }
            if (!admission.admitted) return refuse(std::move(socket));
        }
        try {
            std::thread([this, socket = std::move(socket)] { serve(socket.get()); }).detach();
        } catch (const std::system_error& problem) {
            log::error("no thread for a new connection", {{"why", problem.what()}});
            forget(number);
        }
    }

    /// In the accepting thread, which waits for nobody.
    void refuse(Fd socket) {
        const std::string body = error_body(503, "too many connections");
        const std::string answer = fmt::format(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
            "Content-Length: {}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n{}",
            body.size(), body);
        (void)::send(socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)::shutdown(socket.get(), SHUT_WR);
        if (refused_.size() == refusals_max) end_refused();
        refused_.push_back(
            {.socket = std::move(socket), .until = std::chrono::steady_clock::now() + refusal_max});
    }

    void end_refused() {
        std::array<char, 4096> ignored{};
        const int socket = refused_.front().socket.get();
        while (::recv(socket, ignored.data(), ignored.size(), MSG_DONTWAIT) > 0) {
        }
        refused_.pop_front();
    }

    void serve(int socket) {
        http::Connection connection(socket, options_, stopping_.get_token());
        serving = &connection;
        go_first();
        bool close = !connection.usable();
        while (!close && !stopping_.stop_requested() && connection.await_request()) {
            bool peer_wants_to_close = false;
            const bool answered = process_request(connection, false, peer_wants_to_close, tame);
            close = !connection.flush() || !answered || peer_wants_to_close || connection.closing();
        }
        if (connection.closing()) {
            set_known(socket, false);
            connection.drain();
        }
        serving = nullptr;
        forget(socket);
    }

    /// Before the descriptor is closed, so that stop_all() never shuts down another one. The client
    /// learns it first: once the server has stopped, nobody may still send to it.
    void forget(int socket) {
        (void)::shutdown(socket, SHUT_RDWR);
        const std::scoped_lock lock(mutex_);
        open_.leave(socket);
        all_closed_.notify_all();
    }

    void set_known(int socket, bool is_known) {
        const std::scoped_lock lock(mutex_);
        open_.known(socket, is_known);
    }

    void answer(const httplib::Request& from, httplib::Response& to,
                const httplib::ContentReader* reader) {
        HttpRequest request = translate(from);
        request.server_stopping = stopping_.get_token();
        http::Exchange exchange(*serving, watcher_,
                                {.chunked = from.version != "HTTP/1.0",
                                 .has_body = from.method != "HEAD",
                                 .last = from.get_header_value("Connection") == "close"});
        request.exchange = &exchange;
        HttpResponse response;
        if (const auto refusal =
                receive_body(from, reader, options_.body_bytes_max, request.body)) {
            serving->close_after_answer();
            response =
                json_response(refusal->status, error_body(refusal->status, refusal->message));
        } else {
            set_known(serving->descriptor(), true);
            auto handled = handle(request);
            if (exchange.finish(handled.has_value())) {
                to.status = 200;  // nobody sees it
                return;
            }
            response = handled ? *std::move(handled)
                               : json_response(500, error_body(500, "internal error"));
        }
        if (const auto said = response.headers.find("connection");
            said != response.headers.end() && said->second == "close") {
            response.headers.erase(said);
            serving->close_after_answer();
        }
        to.status = response.status;
        to.body = std::move(response.body);
        for (auto& [name, value] : response.headers) to.headers.emplace(name, std::move(value));
        if (serving->closing() || stopping_.stop_requested()) {
            serving->close_after_answer();
            to.headers.emplace("Connection", "close");
        }
    }

    /// Nothing when the handler threw.
    std::optional<HttpResponse> handle(const HttpRequest& request) noexcept {
        std::string why = "unknown";
        try {
            return handler_(request);
        } catch (const std::exception& problem) {
            why = problem.what();
        } catch (...) {  // nothing more is known
        }
        log::error("a handler threw", {{"path", request.path}, {"why", why}});
        return std::nullopt;
    }

    /// Gives what cpp-httplib refused by itself a body.
    void explain(httplib::Response& response) {
        if (!response.body.empty()) return;
        serving->close_after_answer();
        if (serving->head_too_long()) response.status = 431;
        response.headers.emplace("Connection", "close");
        response.set_content(error_body(response.status, "the HTTP request is malformed"),
                             "application/json");
    }

    [[nodiscard]] std::string error_body(int status, std::string_view message) const {
        return options_.error_body ? options_.error_body(status, message)
                                   : fmt::format(R"({{"error":"{}"}})", message);
    }

    Fd listener_;
    Fd wake_;
    HttpServer::Handler handler_;
    HttpServerOptions options_;
    std::stop_source stopping_;
    http::Watcher watcher_;
    std::thread accepting_;
    std::mutex mutex_;
    std::condition_variable all_closed_;
    http::Places open_;  // sockets with a thread
    struct Refused {
        Fd socket;
        http::SteadyTime until;
    };
    std::deque<Refused> refused_;  // of the accepting thread
};

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const TcpEndpoint& endpoint, Handler handler,
                                                       HttpServerOptions options) {
    auto loop = std::make_unique<Loop>(BERTH_TRY(listen_on(endpoint)), std::move(handler),
                                       std::move(options));
    return std::make_unique<HttpServer>(std::move(loop), "");
}

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const UnixEndpoint& endpoint,
                                                       Handler handler, HttpServerOptions options) {
    auto loop = std::make_unique<Loop>(BERTH_TRY(listen_on(endpoint)), std::move(handler),
                                       std::move(options));
    return std::make_unique<HttpServer>(std::move(loop), endpoint.path);
}

Result<std::unique_ptr<HttpServer>> HttpServer::listen(Fd listener, Handler handler,
                                                       HttpServerOptions options) {
    auto loop = std::make_unique<Loop>(std::move(listener), std::move(handler), std::move(options));
    return std::make_unique<HttpServer>(std::move(loop), "");
}

Result<Fd> HttpServer::listener() const {
    Fd copy(::fcntl(loop_->descriptor(), F_DUPFD_CLOEXEC, 0));
    if (!copy) return fail(system_error("copy a descriptor", errno));
    return copy;
}

HttpServer::HttpServer(std::unique_ptr<Loop> loop, std::string socket_path)
    : loop_(std::move(loop)), socket_path_(std::move(socket_path)) {}

HttpServer::~HttpServer() {
    stop();
}

std::uint16_t HttpServer::port() const {
    return loop_->port();
}

void HttpServer::stop() {
    if (!socket_path_.empty()) (void)::unlink(std::exchange(socket_path_, "").c_str());
    loop_->stop_all();
}

}  // namespace berth
