// SPDX-License-Identifier: Apache-2.0
// Answers in pieces, and clients that leave, on real sockets.
#include "base/http_client.h"
#include "base/http_server.h"
#include "tests/base/http_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <algorithm>
#include <atomic>
#include <latch>
#include <semaphore>
#include <thread>
#include <vector>

using namespace berth;
using namespace berth::test;

namespace {

const HttpHeaders plain = {{"content-type", "text/plain"}};

/// Sends the head and one piece, and expects both to be taken.
void begin(const HttpRequest& request, std::string_view piece) {
    must(request.exchange->begin(200, plain));
    must(request.exchange->write(piece));
}

/// Reads until `text` has come.
void read_until(const Fd& socket, std::string_view text) {
    std::string seen;
    std::array<char, 4096> chunk{};
    while (!seen.contains(text)) {
        const ssize_t got = ::recv(socket.get(), chunk.data(), chunk.size(), 0);
        REQUIRE(got > 0);
        seen.append(chunk.data(), static_cast<std::size_t>(got));
    }
}

}  // namespace

TEST_CASE("pieces arrive while the handler still runs") {
    const TemporaryDirectory directory;
    const std::string path = directory.path() / "http.sock";
    std::binary_semaphore arrived{0};
    const auto handler = [&](const HttpRequest& request) -> HttpResponse {
        begin(request, "one");
        arrived.acquire();
        must(request.exchange->write(""));
        must(request.exchange->write("two"));
        return {.status = 404, .body = "not sent"};
    };
    const auto tcp = serve(handler);
    const auto local = HttpServer::listen(UnixEndpoint{.path = path}, handler);
    REQUIRE(local);
    HttpClient over_tcp("127.0.0.1", tcp->port());
    HttpClient over_unix(path);
    HttpClient& client = GENERATE(false, true) ? over_unix : over_tcp;
    std::string body;
    for (int again = 0; again < 2; ++again) {  // the second on the same connection
        body.clear();
        const auto answer = client.send({.path = "/"}, {.on_body = [&](std::string_view piece) {
                                            body += piece;
                                            if (body == "one") arrived.release();
                                            return true;
                                        }});
        REQUIRE(answer);
        CHECK(answer->status == 200);
        CHECK(answer->body.empty());
        CHECK(*find_header(answer->headers, "content-type") == "text/plain");
        CHECK(body == "onetwo");
    }
}

TEST_CASE("a connection goes on after a streamed answer, unless the client wants it closed") {
    const auto server = serve([](const HttpRequest& request) -> HttpResponse {
        if (request.path == "/plain") return json_response(200, "{}");
        must(request.exchange->begin(201, {{"x-bad", "a\r\nSet-Cookie: b"}, {"x-good", "c"}}));
        must(!request.exchange->begin(200, plain));
        must(request.exchange->write("hello, pieces"));
        return {};
    });
    CHECK(raw(*server, "GET /s HTTP/1.1\r\nConnection: close\r\n\r\n") ==
          "HTTP/1.1 201 OK\r\nx-good: c\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
          "d\r\nhello, pieces\r\n0\r\n\r\n");
    const std::string both = raw(*server,
                                 "POST /s HTTP/1.1\r\nContent-Length: 2\r\n\r\nok"
                                 "GET /plain HTTP/1.1\r\nConnection: close\r\n\r\n");
    CHECK(both.contains("pieces\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"));
    CHECK(both.ends_with("{}"));
    CHECK(raw(*server, "GET /s HTTP/1.0\r\n\r\n") ==
          "HTTP/1.1 201 OK\r\nx-good: c\r\nConnection: close\r\n\r\nhello, pieces");
    CHECK(raw(*server, "HEAD /s HTTP/1.1\r\nConnection: close\r\n\r\n")
              .ends_with("chunked\r\nConnection: close\r\n\r\n"));
}

TEST_CASE("a handler learns that its client has left, and writes nothing more") {
    std::binary_semaphore told{0};
    std::atomic<bool> written = true;
    const auto server = serve([&](const HttpRequest& request) -> HttpResponse {
        if (request.path == "/streams") begin(request, "hello");
        wait_for_stop(request.exchange->gone());
        written = request.exchange->write("more");
        told.release();
        return {};
    });
    Fd socket = connect_to(*server);
    SECTION("before it answers") {
        say(socket, "GET /waits HTTP/1.1\r\n\r\n");
    }
    SECTION("in the middle of its answer") {
        say(socket, "GET /streams HTTP/1.1\r\n\r\n");
        read_until(socket, "hello");
    }
    SECTION("although it has sent more") {
        say(socket, "POST /waits HTTP/1.1\r\nContent-Length: 1\r\n\r\nxGET /next HTTP/1.1\r\n\r\n");
    }
    socket.reset();
    told.acquire();
    CHECK_FALSE(written);
}

TEST_CASE("an answer can end before its handler does") {
    std::binary_semaphore ended{0}, done{0};
    std::atomic<bool> right = false;
    const auto server = serve([&](const HttpRequest& request) -> HttpResponse {
        const std::stop_token gone = request.exchange->gone();
        begin(request, "all");
        request.exchange->end();
        request.exchange->end();
        const bool written = request.exchange->write("more");
        ended.acquire();
        right = !written && !gone.stop_requested() && !request.exchange->gone().stop_requested();
        done.release();
        return {};
    });
    const std::string answer = raw(*server, "GET / HTTP/1.1\r\n\r\n");
    CHECK(answer.ends_with("3\r\nall\r\n0\r\n\r\n"));
    ended.release();
    done.acquire();
    CHECK(right);
}

TEST_CASE("a streamed answer whose handler throws is not taken for a whole one") {
    const auto server = serve([&](const HttpRequest& request) -> HttpResponse {
        begin(request, "half");
        throw std::runtime_error("in the middle");
    });
    HttpClient client("127.0.0.1", server->port());
    std::string body;
    const auto answer = client.send({.path = "/"}, {.on_body = [&](std::string_view piece) {
                                        body += piece;
                                        return true;
                                    }});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == ErrorCode::unavailable);
    CHECK(body == "half");
}

TEST_CASE("a client that never reads does not hold a handler for ever") {
    std::binary_semaphore done{0};
    const std::string piece(256 * 1024, 'x');
    const auto fill_up = [&](const HttpRequest& request) -> HttpResponse {
        must(request.exchange->begin(200, plain));
        while (request.exchange->write(piece)) {
        }
        done.release();
        return {};
    };
    SECTION("its time ends") {
        const auto server = serve(fill_up, {.send_max = std::chrono::milliseconds(50)});
        const Fd socket = connect_to(*server);
        say(socket, "GET / HTTP/1.1\r\n\r\n");
        done.acquire();
    }
    SECTION("the server stops") {
        auto server = serve(fill_up, {.send_max = std::chrono::hours(1)});
        const Fd socket = connect_to(*server);
        say(socket, "GET / HTTP/1.1\r\n\r\n");
        read_until(socket, "x");
        server.reset();
        done.acquire();
    }
    SECTION("somebody ends the answer") {
        std::latch begun{1};
        const auto server = serve(
            [&](const HttpRequest& request) -> HttpResponse {
                must(request.exchange->begin(200, plain));
                const std::jthread ender([&] {
                    begun.wait();
                    request.exchange->end();
                });
                while (request.exchange->write(piece))
                    begun.try_wait() ? void() : begun.count_down();
                done.release();
                return {};
            },
            {.send_max = std::chrono::hours(1)});
        const Fd socket = connect_to(*server);
        say(socket, "GET / HTTP/1.1\r\n\r\n");
        done.acquire();
    }
}

TEST_CASE("many threads write to one answer, each piece in one place") {
    constexpr int writers = 8, pieces = 200;
    const auto server = serve([&](const HttpRequest& request) -> HttpResponse {
        must(request.exchange->begin(200, plain));
        std::vector<std::jthread> threads;
        for (int writer = 0; writer < writers; ++writer) {
            threads.emplace_back([&, line = std::string(50, static_cast<char>('a' + writer))] {
                for (int piece = 0; piece < pieces; ++piece) {
                    (void)request.exchange->write(line + "\n");
                }
            });
        }
        return {};
    });
    HttpClient client("127.0.0.1", server->port());
    const auto answer = client.send({.path = "/"});
    REQUIRE(answer);
    std::array<int, writers> seen{};
    for (std::size_t at = 0; at + 51 <= answer->body.size(); at += 51) {
        const std::string line = answer->body.substr(at, 51);
        REQUIRE(line == std::string(50, line[0]) + "\n");
        ++seen.at(static_cast<std::size_t>(line[0] - 'a'));
    }
    CHECK(std::ranges::all_of(seen, [](int count) { return count == pieces; }));
}

TEST_CASE("64 open streams leave room for calls, and end when the server stops") {
    constexpr int streams = 64, callers = 8, calls = 125;
    std::latch all_open{streams};
    std::atomic<int> said = 0;
    auto server = serve([&](const HttpRequest& request) -> HttpResponse {
        if (request.path == "/call") return json_response(200, request.body);
        bool taken = request.exchange->begin(200, plain) && request.exchange->write("hello ");
        all_open.count_down();
        wait_for_stop(request.path == "/gone" ? request.exchange->gone() : request.server_stopping);
        taken = request.exchange->write("bye") && taken;  // the last words still go out
        if (taken) ++said;  // Catch2 checks nothing from many threads at once
        return {};
    });
    HttpClient client("127.0.0.1", server->port());
    std::atomic<int> whole = 0, right = 0;
    std::vector<std::jthread> listeners;
    for (int stream = 0; stream < streams; ++stream) {
        listeners.emplace_back([&, path = stream % 2 == 0 ? "/gone" : "/stopping"] {
            const auto answer = client.send({.path = path});
            if (answer && answer->body == "hello bye") ++whole;
        });
    }
    all_open.wait();
    {
        std::vector<std::jthread> threads;
        for (int caller = 0; caller < callers; ++caller) {
            threads.emplace_back([&, caller] {
                for (int call = 0; call < calls; ++call) {
                    const std::string body = std::to_string(caller * calls + call);
                    const auto answer =
                        client.send({.method = "POST", .path = "/call", .body = body});
                    if (answer && answer->body == body) ++right;
                }
            });
        }
    }
    CHECK(right == callers * calls);
    CHECK(whole == 0);
    server.reset();
    listeners.clear();
    CHECK(whole == streams);
    CHECK(said == streams);
}
