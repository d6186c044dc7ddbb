// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/streamable_http.h"

#include "fixture_server.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::mcp;

namespace {

struct Server {
    explicit Server(auth::SealKey key = auth::SealKey::random())
        : http(dispatcher, auth::Seals(std::move(key), clock),
               {.access = {.allowed_hosts = {"Box.Example"},
                           .allowed_origins = {"https://app.example"}}}) {}
    SystemClock clock;
    FixtureServer fixtures;
    Dispatcher dispatcher{fixtures.offer(), fixtures.hub(),
                          auth::Seals(auth::SealKey::random(), clock)};
    StreamableHttp http;
};

HttpRequest post(std::string body) {
    return {.method = "POST",
            .path = "/mcp",
            .headers = {{"host", "127.0.0.1:7420"},
                        {"content-type", "application/json; charset=utf-8"},
                        {"accept", "application/json, text/event-stream"}},
            .body = std::move(body)};
}

constexpr const char* initialize =
    R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})";
constexpr const char* list = R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})";

std::string begin_session(Server& server) {
    const auto response = server.http.answer(post(initialize));
    REQUIRE(response.status == 200);
    const std::string* id = find_header(response.headers, "mcp-session-id");
    REQUIRE(id != nullptr);
    return *id;
}

HttpRequest in_session(HttpRequest request, const std::string& id) {
    request.headers.emplace("mcp-session-id", id);
    return request;
}

}  // namespace

TEST_CASE("a legacy session lasts from initialize to DELETE") {
    Server server;
    const std::string id = begin_session(server);
    CHECK(server.http.answer(in_session(post(list), id)).status == 200);
    CHECK(server.http
              .answer(
                  in_session(post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})"), id))
              .status == 202);
    CHECK(server.http.answer(post(list)).status == 400);

    auto end = in_session(post(""), id);
    end.method = "DELETE";
    CHECK(server.http.answer(end).status == 200);
    CHECK(server.http.answer(in_session(post(list), id)).status == 404);
    CHECK(server.http.answer(end).status == 404);
    CHECK(server.http.answer(in_session(post(initialize), id)).status == 200);
}

TEST_CASE("a session goes on in another process that has the key, and nowhere else") {
    const auto key = auth::SealKey::random();
    Server one(key);
    Server two(key);
    Server stranger;
    const std::string id = begin_session(one);
    CHECK(two.http.answer(in_session(post(list), id)).status == 200);
    CHECK(stranger.http.answer(in_session(post(list), id)).status == 404);
    const auto forged = GENERATE_COPY(as<std::string>(), ".", "x", id + "0", "v1." + id);
    CHECK(two.http.answer(in_session(post(list), forged)).status == 404);
}

TEST_CASE("methods that are not served are named with those that are") {
    Server server;
    auto request = post("");
    request.method = GENERATE(as<std::string>(), "PUT", "PATCH", "HEAD");
    const auto response = server.http.answer(request);
    CHECK(response.status == 405);
    CHECK(*find_header(response.headers, "allow") == "GET, POST, DELETE, OPTIONS");
    CHECK(Json::parse(response.body).contains("error"));
}

TEST_CASE("a modern client has no session to end") {
    Server server;
    auto request = post("");
    request.method = "DELETE";
    request.headers.emplace("mcp-protocol-version", "2026-07-28");
    CHECK(server.http.answer(request).status == 405);
}

TEST_CASE("what is wrong with the HTTP of a request is said in JSON") {
    Server server;
    auto request = post(list);
    const auto [change, status] =
        GENERATE(table<int, int>({{0, 404}, {1, 415}, {2, 415}, {3, 406}, {4, 403}, {5, 403}}));
    request.headers.erase(change == 3 ? "accept" : change == 4 ? "host" : "none");
    if (change == 0) request.path = "/";
    if (change == 1) request.headers.erase("content-type");
    if (change == 2) request.headers.find("content-type")->second = "text/plain";
    if (change == 3) request.headers.emplace("accept", "text/html");
    if (change == 5) request.headers.emplace("host", "localhost");
    const auto response = server.http.answer(request);
    CHECK(response.status == status);
    CHECK(Json::parse(response.body)["error"]["code"] == -32000);
}

TEST_CASE("only local and configured names and origins are served") {
    const auto [host, origin, served] = GENERATE(table<std::string, std::string, bool>({
        {"localhost", "", true},
        {"LOCALHOST:1", "", true},
        {"[::1]:7420", "http://[::1]:7420", true},
        {"box.example:80", "https://box.example", true},
        {"127.0.0.1:7420", "http://127.0.0.1:7420", true},
        {"127.0.0.1", "https://app.example", true},
        {"127.0.0.1", "https://app.example:444", false},
        {"127.0.0.1", "null", false},
        {"127.0.0.1", "http://evil.example.com", false},
        {"127.0.0.1", "http://localhost.evil.example.com", false},
        {"evil.example.com", "", false},
        {"evil.example.com:7420", "http://127.0.0.1", false},
        {"127.0.0.1:80:evil", "", false},
    }));
    CAPTURE(host, origin);
    Server server;
    auto request = post(initialize);
    request.headers.find("host")->second = host;
    if (!origin.empty()) request.headers.emplace("origin", origin);
    CHECK(server.http.answer(request).status == (served ? 200 : 403));
}
