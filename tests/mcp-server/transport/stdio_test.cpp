// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/stdio.h"

#include "base/files.h"
#include "fixture_server.h"
#include "mcp-server/transport/line_buffer.h"
#include "mcp-server/transport/workers.h"
#include "tests/support/catch.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <future>
#include <set>
#include <thread>

using namespace berth;
using namespace berth::mcp;

namespace {

struct Pipe {
    Fd read_end, write_end;
    Pipe() {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        read_end = Fd(ends[0]);
        write_end = Fd(ends[1]);
    }
};

/// A client at the other end of the streams.
class StdioPeer {
public:
    StdioPeer() {
        (void)::signal(SIGPIPE, SIG_IGN);  // as take_ending_signals() does for a program
        StdioStreams streams{.input = std::move(to_server_.read_end),
                             .output = std::move(from_server_.write_end),
                             .signals = std::move(signals_.read_end)};
        ended_ = std::async(std::launch::async, [this, streams = std::move(streams)]() mutable {
            return serve_stdio(dispatcher_, std::move(streams));
        });
    }
    void send(std::string_view text) { REQUIRE(write_all(to_server_.write_end.get(), text)); }
    Json receive() {
        for (;;) {
            if (auto line = lines_.next()) return Json::parse(line->text);
            std::array<char, 4096> chunk{};
            const ssize_t got = ::read(from_server_.read_end.get(), chunk.data(), chunk.size());
            REQUIRE(got > 0);
            lines_.append({chunk.data(), static_cast<std::size_t>(got)});
        }
    }
    /// What it still says after it has ended.
    std::string rest() {
        from_server_.write_end.reset();
        std::string out;
        std::array<char, 4096> chunk{};
        ssize_t got = 0;
        while ((got = ::read(from_server_.read_end.get(), chunk.data(), chunk.size())) > 0) {
            out.append(chunk.data(), static_cast<std::size_t>(got));
        }
        return out;
    }
    void close_input() { to_server_.write_end.reset(); }
    void close_output() { from_server_.read_end.reset(); }
    void signal() { REQUIRE(write_all(signals_.write_end.get(), "x")); }
    /// True when it ended by itself with nothing left running.
    bool ended() {
        REQUIRE(ended_.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
        return ended_.get();
    }

private:
    SystemClock clock_;
    FixtureServer fixtures_;
    Dispatcher dispatcher_{fixtures_.offer(), fixtures_.hub(),
                           auth::Seals(auth::SealKey::random(), clock_)};
    Pipe to_server_, from_server_, signals_;
    LineBuffer lines_{line_bytes_max};
    std::future<bool> ended_;
};

std::string call(int id, const std::string& tool) {
    return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
           R"(,"method":"tools/call","params":{"name":")" + tool + "\"}}\n";
}

}  // namespace

TEST_CASE("a slow call does not hold up a quick one") {
    StdioPeer client;
    client.send(call(1, "wait") + call(2, "test_simple_text"));
    CHECK(client.receive()["id"] == 2);
    client.close_input();
    CHECK(client.receive()["id"] == 1);
    CHECK(client.ended());
}

TEST_CASE("the end of the input ends the server after what is in flight") {
    StdioPeer client;
    SECTION("all lines are answered, even one without its newline") {
        std::string line = call(7, "test_simple_text");
        line.pop_back();
        client.send("\n  \r\n" + line);
        client.close_input();
        CHECK(client.receive()["id"] == 7);
    }
    SECTION("a signal does the same") {
        client.signal();
    }
    SECTION("and so does an output that nobody reads") {
        client.close_output();
        client.send(call(1, "test_simple_text"));
    }
    CHECK(client.ended());
    client.close_input();
}

TEST_CASE("more calls than may run at once wait for room and lose nothing") {
    StdioPeer client;
    const int calls = static_cast<int>(WorkerLimits{}.jobs) * 2;
    for (int id = 0; id < calls; ++id) client.send(call(id, "test_simple_text"));
    std::set<int> answered;
    for (int count = 0; count < calls; ++count) answered.insert(client.receive()["id"].get<int>());
    CHECK(answered.size() == static_cast<std::size_t>(calls));
    client.close_input();
    CHECK(client.ended());
}

TEST_CASE("a line that is no message is answered without an id") {
    StdioPeer client;
    client.send("nonsense\n");
    const Json answer = client.receive();
    CHECK(answer["error"]["code"] == -32700);
    CHECK_FALSE(answer.contains("id"));
    client.close_input();
    CHECK(client.ended());
}

TEST_CASE("a line that is too long is refused and the next one is answered") {
    StdioPeer client;
    const std::string part(1024 * 1024, 'x');
    for (std::size_t sent = 0; sent <= line_bytes_max; sent += part.size()) client.send(part);
    client.send("\n" + call(3, "test_simple_text"));
    const Json first = client.receive();
    const Json second = client.receive();
    CHECK((first.contains("error") ? first : second)["error"]["code"] == -32600);
    CHECK((first.contains("error") ? second : first)["id"] == 3);
    client.close_input();
    CHECK(client.ended());
}

TEST_CASE("lines are found however the bytes arrive") {
    LineBuffer lines(4);
    for (const char c : std::string_view("ab\n\ntoolong\ncd\n")) lines.append({&c, 1});
    CHECK(lines.next()->text == "ab");
    CHECK(lines.next()->text.empty());
    CHECK(lines.next()->too_long);
    CHECK(lines.next()->text == "cd");
    CHECK_FALSE(lines.next());
}

TEST_CASE("a cancelled call lets go at once and is not answered") {
    StdioPeer client;
    client.send(call(1, "wait"));
    client.send(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})"
                "\n" +
                call(2, "test_simple_text"));
    CHECK(client.receive()["id"] == 2);
    client.close_input();
    CHECK(client.ended());
    CHECK(client.rest().empty());
}

TEST_CASE("more cancels than threads reach calls that have not begun") {
    StdioPeer client;
    const int calls = static_cast<int>(WorkerLimits{}.threads) * 2;
    for (int id = 0; id < calls; ++id) client.send(call(id, "wait"));
    for (int id = 0; id < calls; ++id) {
        client.send(
            R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":)" +
            std::to_string(id) + "}}\n");
    }
    client.send(call(calls, "test_simple_text"));
    CHECK(client.receive()["id"] == calls);
    client.close_input();
    CHECK(client.ended());
}

TEST_CASE("a client that writes much before it reads is served, and gets every answer") {
    StdioPeer client;
    constexpr int calls = 3000;  // their answers are more than a pipe holds
    for (int id = 0; id < calls; ++id) {
        client.send(R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
                    R"(,"method":"tools/list"})"
                    "\n");
    }
    for (int id = 0; id < calls; ++id) CHECK(client.receive()["id"] == id);  // and in order
    client.close_input();
    CHECK(client.ended());
}

TEST_CASE("a listen gets its changes until it is cancelled, and is ended with the server") {
    StdioPeer client;
    const auto listen = [](const std::string& id) {
        return R"({"jsonrpc":"2.0","id":")" + id +
               R"(","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},)"
               R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
               R"("io.modelcontextprotocol/clientCapabilities":{}}}})"
               "\n";
    };
    constexpr const char* key = "io.modelcontextprotocol/subscriptionId";
    client.send(listen("a"));
    const Json acknowledged = client.receive();
    CHECK(acknowledged["method"] == "notifications/subscriptions/acknowledged");
    CHECK(acknowledged["params"]["_meta"][key] == "a");
    client.send(call(1, "test_trigger_tool_change"));
    const Json one = client.receive();
    const Json two = client.receive();
    const Json& change = one.contains("method") ? one : two;
    CHECK(change["method"] == "notifications/tools/list_changed");
    CHECK(change["params"]["_meta"][key] == "a");
    client.send(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}})"
                "\n" +
                listen("b"));
    CHECK(client.receive()["params"]["_meta"][key] == "b");
    client.close_input();
    const Json end = client.receive();
    CHECK(end["id"] == "b");
    CHECK(end["result"]["resultType"] == "complete");
    CHECK(client.ended());
    CHECK(client.rest().empty());
}
