// SPDX-License-Identifier: Apache-2.0
// The HTTP server and client on real sockets.
#include "base/files.h"
#include "base/http_client.h"
#include "base/http_places.h"
#include "base/http_server.h"
#include "tests/base/http_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <thread>

using namespace berth;
using namespace berth::test;

namespace {

HttpResponse echo(const HttpRequest& request) {
    return json_response(
        200, request.method + " " + request.path + "?" + request.query + " " + request.body);
}

}  // namespace

TEST_CASE("a request and its answer cross TCP and unix sockets") {
    const TemporaryDirectory directory;
    const std::string path = directory.path() / "http.sock";
    HttpRequest seen;
    const auto handler = [&](const HttpRequest& request) {
        seen = request;
        return echo(request);
    };
    const auto tcp = serve(handler);
    const auto local = HttpServer::listen(UnixEndpoint{.path = path, .mode = 0620}, handler);
    REQUIRE(local);
    HttpClient over_tcp("127.0.0.1", tcp->port());
    HttpClient over_unix(path);
    const bool is_unix = GENERATE(false, true);
    HttpClient& client = is_unix ? over_unix : over_tcp;

    const auto answer = client.send({.method = "POST",
                                     .path = "/a/b",
                                     .query = "c=d",
                                     .headers = {{"X-Two", "1"}, {"X-Two", "2"}},
                                     .body = "hello"});
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(answer->body == "POST /a/b?c=d hello");
    CHECK(*find_header(answer->headers, "content-type") == "application/json");
    CHECK(seen.headers.count("x-two") == 2);
    CHECK_FALSE(seen.headers.contains("remote_addr"));
    CHECK(seen.peer_uid.has_value() == is_unix);
    if (is_unix) CHECK(seen.peer_uid == ::getuid());
    if (!is_unix) CHECK(seen.remote.starts_with("127.0.0.1:"));
    struct stat found{};
    REQUIRE(::stat(path.c_str(), &found) == 0);
    CHECK((found.st_mode & 0777) == 0620);
}

TEST_CASE("every method comes to the handler, with or without a body") {
    const auto server = serve(echo);
    HttpClient client("127.0.0.1", server->port());
    const auto method =
        GENERATE(as<std::string>(), "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");
    const auto answer = client.send({.method = method, .path = "/x"});
    REQUIRE(answer);
    CHECK(answer->body == method + " /x? ");
}

TEST_CASE("64 connections at once are served, each on its own") {
    std::atomic<int> waiting = 0;
    std::mutex mutex;
    std::condition_variable all_here;
    constexpr int clients = 64;
    const auto server = serve([&](const HttpRequest& request) {
        std::unique_lock lock(mutex);
        if (++waiting == clients) all_here.notify_all();
        all_here.wait(lock, [&] { return waiting >= clients; });
        return echo(request);
    });
    HttpClient client("127.0.0.1", server->port());
    std::atomic<int> right = 0;
    {
        std::vector<std::jthread> threads;
        for (int number = 0; number < clients; ++number) {
            threads.emplace_back([&, body = std::to_string(number)] {
                const auto answer = client.send({.method = "POST", .path = "/", .body = body});
                if (answer && answer->body == "POST /? " + body) ++right;
            });
        }
    }
    CHECK(right == clients);
}

TEST_CASE("a connection beyond the bound is answered with 503") {
    std::mutex mutex;
    std::condition_variable changed;
    bool entered = false, leave = false;
    const auto server = serve(
        [&](const HttpRequest& request) {
            std::unique_lock lock(mutex);
            entered = true;
            changed.notify_all();
            changed.wait(lock, [&] { return leave; });
            return echo(request);
        },
        {.connections_max = 1});
    std::jthread first([&] {
        HttpClient client("127.0.0.1", server->port());
        CHECK(client.send({.path = "/"})->status == 200);
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return entered; });
    HttpClient client("127.0.0.1", server->port());
    const auto refused = client.send({.path = "/"});
    leave = true;
    changed.notify_all();
    REQUIRE(refused);
    CHECK(refused->status == 503);
    CHECK(refused->body == json_error(503, "too many connections"));
}

TEST_CASE("who says nothing makes room for who does, and has only so long") {
    const auto server = serve(echo, {.connections_max = 4,
                                     .first_request_max = std::chrono::milliseconds(300),
                                     .idle_max = std::chrono::seconds(30)});
    HttpClient regular("127.0.0.1", server->port());
    CHECK(regular.send({.path = "/"})->status == 200);
    std::vector<Fd> silent;
    for (int number = 0; number < 20; ++number) silent.push_back(connect_to(*server));
    HttpClient late("127.0.0.1", server->port());
    const auto answer = late.send({.path = "/"});
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(regular.send({.path = "/"})->status == 200);
    const auto begun = std::chrono::steady_clock::now();
    for (const Fd& socket : silent) {
        char byte = 0;
        CHECK(::recv(socket.get(), &byte, 1, 0) <= 0);
    }
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));
}

TEST_CASE("a handler ends the connection by the header that says so") {
    const auto server = serve([](const HttpRequest&) {
        return HttpResponse{.status = 401, .headers = {{"connection", "close"}}};
    });
    const std::string answer = raw(*server, "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 401"));
    CHECK(answer.find("HTTP/1.1", 1) == std::string::npos);
}

TEST_CASE("a source's strangers crowd out one another, and nobody of another source") {
    http::Places places(4, 2);
    CHECK(places.enter(1, "a").admitted);
    CHECK(places.enter(2, "a").admitted);
    CHECK(places.enter(3, "b").admitted);
    auto admission = places.enter(4, "a");
    CHECK((admission.admitted && admission.evicted == 1));
    places.known(3, true);
    places.leave(1);
    CHECK(places.enter(5, "c").admitted);
    SECTION("with all places taken, the oldest stranger makes room") {
        admission = places.enter(6, "d");
        CHECK((admission.admitted && admission.evicted == 2));
    }
    SECTION("and nobody does when there is no stranger") {
        for (const int socket : {2, 4, 5}) places.known(socket, true);
        CHECK_FALSE(places.enter(6, "d").admitted);
        places.leave(2);
        CHECK(places.enter(6, "d").admitted);
    }
    SECTION("peers without an address have no bound of their own") {
        places.leave(5);
        places.leave(3);
        CHECK(places.enter(6, "").evicted == http::Places::nobody);
        CHECK(places.enter(7, "").evicted == http::Places::nobody);
    }
}

TEST_CASE("a body over the bound is answered with 413, however it is sent") {
    const auto server = serve(echo, {.body_bytes_max = 1000});
    HttpClient client("127.0.0.1", server->port());
    CHECK(client.send({.method = "POST", .body = std::string(1000, 'x')})->status == 200);
    const auto large = client.send({.method = "POST", .body = std::string(5'000'000, 'x')});
    REQUIRE(large);
    CHECK(large->status == 413);
    CHECK(large->body == json_error(413, "the body is too large"));
    std::string chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int chunk = 0; chunk < 11; ++chunk) chunked += "64\r\n" + std::string(100, 'x') + "\r\n";
    CHECK(raw(*server, chunked + "0\r\n\r\n").starts_with("HTTP/1.1 413"));
    CHECK(client.send({.method = "POST", .body = "fits"})->status == 200);
}

TEST_CASE("bytes that are no request are answered in JSON and the connection ends") {
    const auto server = serve(echo, {.receive_max = std::chrono::milliseconds(500)});
    const auto [text, status] = GENERATE(table<std::string, std::string>({
        {"nonsense\r\n\r\n", "400"},
        {"BREW / HTTP/1.1\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "400"},
        {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
        {"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "400"},
        {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"},
        {"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab", "400"},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
        {"POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: "
         "1\r\n\r\na",
         "415"},
        {"GET / HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n", "400"},
    }));
    CAPTURE(text.substr(0, 100));
    const std::string answer = raw(*server, text);
    CAPTURE(answer);
    CHECK(answer.starts_with("HTTP/1.1 " + status));
    CHECK(answer.find("{\"status\":" + status) != std::string::npos);
}

TEST_CASE("a head without end is cut off") {
    const auto server = serve(echo);
    std::string text = "GET / HTTP/1.1\r\n";
    while (text.size() < 100'000) text += "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n";
    CHECK(raw(*server, text).starts_with("HTTP/1.1 431"));
}

TEST_CASE("what a handler throws is a 500 that tells nothing") {
    const auto server =
        serve([](const HttpRequest&) -> HttpResponse { throw std::runtime_error("secret"); });
    HttpClient client("127.0.0.1", server->port());
    const auto answer = client.send({.path = "/"});
    REQUIRE(answer);
    CHECK(answer->status == 500);
    CHECK(answer->body == json_error(500, "internal error"));
}

TEST_CASE("requests that arrive together are answered in order") {
    const auto server = serve(echo);
    const std::string answer = raw(*server,
                                   "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n"
                                   "Connection: close\r\n\r\n");
    CHECK(answer.find("GET /1?") < answer.find("GET /2?"));
    CHECK(answer.find("GET /2?") != std::string::npos);
}

TEST_CASE("a server stops at once though connections are open, and its handlers are told") {
    std::atomic<bool> entered = false;
    auto server = serve([&](const HttpRequest& request) {
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any never;
        entered = true;
        entered.notify_all();
        (void)never.wait(lock, request.server_stopping, [] { return false; });
        return echo(request);
    });
    const Fd idle = connect_to(*server);
    int status = 0;
    std::jthread asking([&, port = server->port()] {
        HttpClient client("127.0.0.1", port);
        if (const auto answer = client.send({.path = "/"})) status = answer->status;
    });
    entered.wait(false);
    server.reset();
    asking.join();
    CHECK(status == 200);
}

TEST_CASE("a server that nobody asked anything stops") {
    CHECK(serve(echo)->port() != 0);
}

TEST_CASE("a socket file is replaced only when nobody answers at it") {
    const TemporaryDirectory directory;
    const UnixEndpoint endpoint{.path = directory.path() / "http.sock"};
    SECTION("left behind by a dead process") {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::ranges::copy(endpoint.path, address.sun_path);
        {
            const Fd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
            REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address),
                           sizeof address) == 0);
        }
        CHECK(HttpServer::listen(endpoint, echo));
        CHECK_FALSE(std::filesystem::exists(endpoint.path));
    }
    SECTION("in use") {
        const auto first = HttpServer::listen(endpoint, echo);
        REQUIRE(first);
        const auto second = HttpServer::listen(endpoint, echo);
        REQUIRE_FALSE(second);
        CHECK(second.error().code == ErrorCode::already_exists);
        CHECK(HttpClient(endpoint.path).send({.path = "/"})->status == 200);
    }
    SECTION("not a socket") {
        directory.write("http.sock", "precious");
        CHECK_FALSE(HttpServer::listen(endpoint, echo));
        CHECK(*read_file(endpoint.path) == "precious");
    }
}

TEST_CASE("a port or a path that cannot be had is an error") {
    const auto server = serve(echo);
    const auto taken = HttpServer::listen(TcpEndpoint{.port = server->port()}, echo);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == ErrorCode::already_exists);
    CHECK_FALSE(HttpServer::listen(TcpEndpoint{.address = "not an address"}, echo));
    CHECK_FALSE(HttpServer::listen(UnixEndpoint{.path = std::string(200, 'x')}, echo));
    CHECK_FALSE(HttpServer::listen(UnixEndpoint{.path = "/nonexistent/x"}, echo));
}

TEST_CASE("a client says what kept it from an answer") {
    const TemporaryDirectory directory;
    const auto nobody = HttpClient(directory.path() / "none.sock").send({.path = "/"});
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error().code == ErrorCode::unavailable);

    const auto server = serve([](const HttpRequest& request) {
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any never;
        (void)never.wait(lock, request.server_stopping, [] { return false; });
        return echo(request);
    });
    HttpClient client("127.0.0.1", server->port());
    const auto late = client.send({.path = "/"}, {.read_timeout = std::chrono::milliseconds(20)});
    REQUIRE_FALSE(late);
    CHECK(late.error().code == ErrorCode::timed_out);
}
