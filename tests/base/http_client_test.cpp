// SPDX-License-Identifier: Apache-2.0
// What the HTTP client does about long, large and unwanted answers, and about servers that go.
#include "base/http_client.h"

#include "base/http_server.h"
#include "tests/base/http_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <poll.h>

#include <atomic>
#include <semaphore>
#include <thread>

using namespace berth;
using namespace berth::test;

namespace {

/// Answers with as many bytes as the query says, in one piece or chunked.
HttpResponse many_bytes(const HttpRequest& request) {
    const std::string body(std::stoul(request.query), 'x');
    if (request.path == "/missing") return json_response(404, body);
    if (request.path == "/whole") return json_response(200, body);
    must(request.exchange->begin(200, {}));
    (void)request.exchange->write(body);  // the client may have enough before its end
    return {};
}

}  // namespace

TEST_CASE("an answer larger than its bound is an error, and only that") {
    const auto server = serve(many_bytes);
    HttpClient client("127.0.0.1", server->port());
    const auto path = GENERATE(as<std::string>(), "/whole", "/chunked", "/missing");
    const bool streams = GENERATE(false, true);
    HttpSendOptions options{.body_bytes_max = 1000};
    if (streams) options.on_body = [](std::string_view) { return true; };
    CHECK(client.send({.path = path, .query = "1000"}, options));
    const auto large = client.send({.path = path, .query = "100000"}, options);
    REQUIRE_FALSE(large);
    CHECK(large.error().code == ErrorCode::unavailable);
    CHECK(large.error().message.contains("more than 1000 bytes"));
    CHECK(client.send({.path = path, .query = "10"}, options));
}

TEST_CASE("only the body of a 200 is handed over in pieces") {
    const auto server = serve(many_bytes);
    HttpClient client("127.0.0.1", server->port());
    std::size_t seen = 0;
    const HttpSendOptions options{.on_body = [&](std::string_view piece) {
        seen += piece.size();
        return true;
    }};
    const auto missing = client.send({.path = "/missing", .query = "5"}, options);
    REQUIRE(missing);
    CHECK(missing->body == "xxxxx");
    CHECK(seen == 0);
    const auto whole = client.send({.path = "/whole", .query = "70000"}, options);
    REQUIRE(whole);
    CHECK(whole->body.empty());
    CHECK(seen == 70'000);
}

TEST_CASE("whoever has read enough breaks an answer off") {
    std::binary_semaphore left{0};
    const auto server = serve([&](const HttpRequest& request) -> HttpResponse {
        if (request.path == "/plain") return json_response(200, "{}");
        must(request.exchange->begin(200, {}));
        must(request.exchange->write("enough"));
        wait_for_stop(request.exchange->gone());
        left.release();
        return {};
    });
    HttpClient client("127.0.0.1", server->port());
    const auto answer =
        client.send({.path = "/"}, {.on_body = [](std::string_view) { return false; }});
    REQUIRE(answer);
    CHECK(answer->status == 200);
    left.acquire();
    CHECK(client.send({.path = "/plain"})->body == "{}");
}

TEST_CASE("a cancel is not lost, whenever it comes") {
    std::atomic<int> answered = 0;
    const auto server = serve([&](const HttpRequest& request) -> HttpResponse {
        if (request.path == "/plain") return json_response(200, "{}");
        wait_for_stop(request.exchange->gone());
        return {};
    });
    HttpClient client("127.0.0.1", server->port());
    for (int round = 0; round < 500; ++round) {
        if (round % 3 != 0) REQUIRE(client.send({.path = "/plain"}));  // leaves a kept connection
        std::stop_source source;
        std::atomic<bool> go = false;
        std::jthread canceller([&] {
            go.wait(false);
            for (int spin = 0; spin < (round % 50) * 100; ++spin) go.load();
            source.request_stop();
        });
        go = true;
        go.notify_one();
        const auto answer = client.send({.path = "/"}, {.read_timeout = std::chrono::hours(1),
                                                        .cancelled = source.get_token()});
        if (answer) ++answered;
    }
    CHECK(answered == 0);
    std::stop_source before;
    before.request_stop();
    CHECK_FALSE(client.send({.path = "/plain"}, {.cancelled = before.get_token()}));
}

TEST_CASE("a server that was restarted is not taken for a broken one") {
    const TemporaryDirectory directory;
    const std::string path = directory.path() / "http.sock";
    const auto handler = [](const HttpRequest& request) {
        return json_response(200, request.body);
    };
    HttpClient over_unix(path);
    auto tcp = serve(handler);
    const std::uint16_t port = tcp->port();
    HttpClient over_tcp("127.0.0.1", port);
    for (int round = 0; round < 5; ++round) {
        tcp.reset();
        auto again = HttpServer::listen(TcpEndpoint{.port = port}, handler);
        REQUIRE(again);
        tcp = *std::move(again);
        const auto local = HttpServer::listen(UnixEndpoint{.path = path}, handler);
        REQUIRE(local);
        for (const char* body : {"1", "2"}) {
            CHECK(over_tcp.send({.method = "POST", .path = "/", .body = body})->body == body);
            CHECK(over_unix.send({.method = "POST", .path = "/", .body = body})->body == body);
        }
    }
}

TEST_CASE("a server that closes after every answer is asked on a new connection each time") {
    std::atomic<int> asked = 0;
    const auto server = serve([&](const HttpRequest&) -> HttpResponse {
        ++asked;
        return {.headers = {{"connection", "close"}}, .body = "{}"};
    });
    HttpClient client("127.0.0.1", server->port());
    for (int round = 0; round < 20; ++round) REQUIRE(client.send({.path = "/"}));
    CHECK(asked == 20);
}

TEST_CASE("an answer that ends early or is none is an error") {
    const Fd listener = *listen_on(TcpEndpoint{});
    sockaddr_in address{};
    socklen_t length = sizeof address;
    REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
    const auto text =
        GENERATE(as<std::string>(), "", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\n",
                 "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                 "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'));
    std::jthread server([&] {
        pollfd polled{listener.get(), POLLIN, 0};
        (void)::poll(&polled, 1, -1);
        const Fd socket(::accept(listener.get(), nullptr, nullptr));
        std::array<char, 4096> request{};
        (void)::recv(socket.get(), request.data(), request.size(), 0);
        (void)::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
    });
    HttpClient client("127.0.0.1", ::ntohs(address.sin_port));
    const auto answer = client.send({.path = "/"});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == ErrorCode::unavailable);
}
