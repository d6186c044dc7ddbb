// SPDX-License-Identifier: Apache-2.0
// What only a real connection shows: event streams, clients that leave, and many of both.
#include "base/http_client.h"
#include "base/http_server.h"
#include "fixture_server.h"
#include "mcp-server/transport/streamable_http.h"
#include "tests/support/catch.h"

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

using namespace berth;
using namespace berth::mcp;
using namespace std::chrono_literals;

namespace {

struct Server {
    explicit Server(std::size_t streams_max = 256)
        : http(dispatcher, auth::Seals(auth::SealKey::random(), clock),
               {.streams_max = streams_max}),
          server(HttpServer::listen(
                     TcpEndpoint{},
                     [this](const HttpRequest& request) { return http.answer(request); },
                     {.error_body = StreamableHttp::error_body})
                     .value()) {
        // The HTTP library makes regular expressions at its first request, behind a guard that the
        // thread sanitizer does not see in a library built without it: so it is not raced for.
        (void)HttpClient("127.0.0.1", server->port()).send({.path = "/"});
    }
    SystemClock clock;
    FixtureServer fixtures;
    Dispatcher dispatcher{fixtures.offer(), fixtures.hub(),
                          auth::Seals(auth::SealKey::random(), clock)};
    StreamableHttp http;
    std::unique_ptr<HttpServer> server;
};

HttpRequest post(std::string body) {
    return {.method = "POST",
            .path = "/mcp",
            .headers = {{"host", "localhost"},
                        {"content-type", "application/json"},
                        {"accept", "application/json, text/event-stream"}},
            .body = std::move(body)};
}

/// A request of 2026-07-28; `params` are its members without the envelope.
HttpRequest modern(const std::string& id, const std::string& method, const std::string& name,
                   std::string params) {
    if (!params.empty()) params += ",";
    HttpRequest request = post(R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":")" + method +
                               R"(","params":{)" + params +
                               R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                               R"("io.modelcontextprotocol/clientCapabilities":{}}}})");
    request.headers.emplace("mcp-protocol-version", "2026-07-28");
    request.headers.emplace("mcp-method", method);
    if (!name.empty()) request.headers.emplace("mcp-name", name);
    return request;
}

HttpRequest call(const std::string& id, const std::string& tool) {
    return modern(id, "tools/call", tool, R"("name":")" + tool + "\"");
}

HttpRequest listen(const std::string& id) {
    return modern(id, "subscriptions/listen", "", R"("notifications":{"toolsListChanged":true})");
}

/// One event stream, read on a thread of its own.
class Stream {
public:
    Stream(std::uint16_t port, HttpRequest request)
        : client_("127.0.0.1", port),
          thread_([this, request = std::move(request)](const std::stop_token& stop) {
              const auto answer = client_.send(
                  request, {.cancelled = stop, .on_body = [this](std::string_view bytes) {
                                take(bytes);
                                return true;
                            }});
              const std::scoped_lock lock(mutex_);
              status_ = answer ? answer->status : 0;
              body_ = answer ? answer->body : "";
              changed_.notify_all();
          }) {}
    /// The next message, or null when the stream has ended.
    Json next() {
        std::unique_lock lock(mutex_);
        REQUIRE(changed_.wait_for(lock, 10s, [&] { return !messages_.empty() || status_; }));
        if (messages_.empty()) return nullptr;
        const Json message = messages_.front();
        messages_.pop_front();
        return message;
    }
    /// Its first bytes, which may be a comment.
    void await_beginning() {
        std::unique_lock lock(mutex_);
        REQUIRE(changed_.wait_for(lock, 10s, [&] { return begun_; }));
    }
    int status() {
        std::unique_lock lock(mutex_);
        REQUIRE(changed_.wait_for(lock, 10s, [&] { return status_.has_value(); }));
        return *status_;
    }
    std::string last_event_id() {
        const std::scoped_lock lock(mutex_);
        return last_event_id_;
    }
    void leave() { (void)thread_.request_stop(); }

private:
    void take(std::string_view bytes) {
        const std::scoped_lock lock(mutex_);
        begun_ = true;
        text_ += bytes;
        std::size_t end = 0;
        while ((end = text_.find('\n')) != std::string::npos) {
            const std::string line = text_.substr(0, end);
            text_.erase(0, end + 1);
            if (line.starts_with("id: ")) last_event_id_ = line.substr(4);
            if (line.starts_with("data: {")) messages_.push_back(Json::parse(line.substr(6)));
        }
        changed_.notify_all();
    }

    HttpClient client_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string text_, last_event_id_, body_;
    std::deque<Json> messages_;
    std::optional<int> status_;
    bool begun_ = false;
    std::jthread thread_;
};

std::string begin_session(HttpClient& client, const std::string& capabilities = "{}") {
    const auto answer =
        client.send(post(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{)"
                         R"("protocolVersion":"2025-11-25","capabilities":)" +
                         capabilities + "}}"));
    REQUIRE(answer);
    return *find_header(answer->headers, "mcp-session-id");
}

HttpRequest in_session(HttpRequest request, const std::string& id) {
    request.headers.emplace("mcp-session-id", id);
    return request;
}

}  // namespace

TEST_CASE("64 open listens hold up nothing, and each hears of a change") {
    Server server;
    std::deque<Stream> streams;
    for (int count = 0; count < 64; ++count) {
        streams.emplace_back(server.server->port(), listen("\"l" + std::to_string(count) + "\""));
    }
    for (auto& stream : streams) {
        CHECK(stream.next()["method"] == "notifications/subscriptions/acknowledged");
    }
    HttpClient client("127.0.0.1", server.server->port());
    for (int count = 0; count < 1000; ++count) {
        const auto answer = client.send(call("1", "test_simple_text"));
        REQUIRE(answer);
        REQUIRE(answer->status == 200);
    }
    server.fixtures.hub().tools_changed();
    for (auto& stream : streams) {
        CHECK(stream.next()["method"] == "notifications/tools/list_changed");
    }
    server.server->stop();  // ends each with its result
    for (auto& stream : streams) CHECK(stream.next()["result"]["resultType"] == "complete");
}

TEST_CASE("a stream past the cap is refused with its reason, until another ends") {
    Server server(2);
    Stream one(server.server->port(), listen("1"));
    Stream two(server.server->port(), listen("2"));
    (void)one.next();
    (void)two.next();
    HttpClient client("127.0.0.1", server.server->port());
    const auto refused = client.send(listen("3"));
    REQUIRE(refused);
    CHECK(refused->status == 429);
    CHECK(Json::parse(refused->body)["error"]["code"] == -32603);
    CHECK(Json::parse(refused->body)["id"] == 3);
    CHECK(client.send(call("4", "test_simple_text"))->status == 200);
    two.leave();
    CHECK(two.status() == 0);
    for (int tries = 0;; ++tries) {  // until the server has noticed
        REQUIRE(tries < 1000);
        Stream three(server.server->port(), listen("5"));
        if (three.next() != nullptr) break;
        std::this_thread::sleep_for(5ms);
    }
}

TEST_CASE("a modern client that leaves cancels its call") {
    Server server;
    auto running = std::make_unique<Stream>(server.server->port(), call("1", "wait"));
    running->leave();
    running.reset();
    server.server->stop();  // returns only when the call has let go
}

TEST_CASE("a legacy call is cancelled by a notification in its session, and by no other") {
    Server server;
    HttpClient client("127.0.0.1", server.server->port());
    const std::string mine = begin_session(client);
    const std::string other = begin_session(client);
    auto waiting = std::async(std::launch::async, [&] {
        HttpClient own("127.0.0.1", server.server->port());
        return own.send(in_session(
            post(R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"wait"}})"),
            mine));
    });
    const auto cancel =
        post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})");
    CHECK(client.send(in_session(cancel, other))->status == 202);
    CHECK(waiting.wait_for(100ms) == std::future_status::timeout);
    while (waiting.wait_for(10ms) != std::future_status::ready) {
        CHECK(client.send(in_session(cancel, mine))->status == 202);  // once it has arrived
    }
    const auto answer = waiting.get();
    REQUIRE(answer);
    CHECK(answer->body.empty());
}

TEST_CASE("a legacy client is asked on the stream of its call, and answers with a POST") {
    Server server;
    HttpClient client("127.0.0.1", server.server->port());
    const std::string id = begin_session(client, R"({"elicitation":{}})");
    Stream stream(server.server->port(),
                  in_session(post(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":)"
                                  R"({"name":"test_elicitation","arguments":{"message":"Who?"}}})"),
                             id));
    const Json question = stream.next();
    CHECK(question["method"] == "elicitation/create");
    const std::string answer = R"({"jsonrpc":"2.0","id":)" + to_text(question["id"]) +
                               R"(,"result":{"action":"accept","content":{"username":"ada"}}})";
    const std::string stranger = begin_session(client, R"({"elicitation":{}})");
    CHECK(client.send(in_session(post(answer), stranger))->status == 202);
    CHECK(client.send(in_session(post(answer), id))->status == 202);
    const Json result = stream.next();
    CHECK(result["id"] == 1);
    CHECK(result["result"]["content"][0]["text"].get<std::string>().contains("accept"));
}

TEST_CASE("a stream that ended early is resumed after the last event") {
    Server server;
    HttpClient client("127.0.0.1", server.server->port());
    const std::string id = begin_session(client);
    Stream first(server.server->port(),
                 in_session(post(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":)"
                                 R"({"name":"test_reconnection"}})"),
                            id));
    CHECK(first.status() == 200);
    CHECK(first.next() == nullptr);
    HttpRequest again = in_session(post(""), id);
    again.method = "GET";
    again.headers.emplace("last-event-id", first.last_event_id());
    Stream second(server.server->port(), again);
    CHECK(second.next()["id"] == 1);
    CHECK(second.next() == nullptr);
}

TEST_CASE("a session has one stream of its own, where it hears of what it watches") {
    Server server;
    HttpClient client("127.0.0.1", server.server->port());
    const std::string id = begin_session(client);
    const auto watch = [&](const std::string& what) {
        return client.send(
            in_session(post(R"({"jsonrpc":"2.0","id":1,"method":"resources/)" + what +
                            R"(","params":{"uri":"test://watched-resource"}})"),
                       id));
    };
    CHECK(watch("subscribe")->status == 200);
    HttpRequest get = in_session(post(""), id);
    get.method = "GET";
    Stream stream(server.server->port(), get);
    stream.await_beginning();
    CHECK(client.send(get)->status == 409);
    server.fixtures.hub().resource_updated("test://watched-resource");
    CHECK(stream.next()["params"]["uri"] == "test://watched-resource");
    CHECK(watch("unsubscribe")->status == 200);
    server.fixtures.hub().resource_updated("test://watched-resource");
    server.fixtures.hub().tools_changed();
    CHECK(stream.next()["method"] == "notifications/tools/list_changed");
    get.headers.erase("mcp-session-id");
    CHECK(client.send(get)->status == 400);
    get.headers.find("accept")->second = "application/json";
    CHECK(client.send(get)->status == 406);
}
