// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/stdio.h"

#include "base/files.h"
#include "fixture_tools.h"
#include "mcp-server/transport/line_buffer.h"
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
class Client {
public:
    Client() {
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
    void close_input() { to_server_.write_end.reset(); }
    void close_output() { from_server_.read_end.reset(); }
    void signal() { REQUIRE(write_all(signals_.write_end.get(), "x")); }
    /// True when it ended by itself with nothing left running.
    bool ended() {
        REQUIRE(ended_.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
        return ended_.get();
    }

private:
    FixtureTools tools_;
    Dispatcher dispatcher_{{.name = "t", .title = "T", .version = "1", .instructions = "go"},
                           tools_};
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
    Client client;
    client.send(call(1, "wait") + call(2, "test_simple_text"));
    CHECK(client.receive()["id"] == 2);
    client.close_input();
    CHECK(client.receive()["id"] == 1);
    CHECK(client.ended());
}

TEST_CASE("the end of the input ends the server after what is in flight") {
    Client client;
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
    Client client;
    const int calls = static_cast<int>(stdio_calls_max) * 4;
    for (int id = 0; id < calls; ++id) client.send(call(id, "test_simple_text"));
    std::set<int> answered;
    for (int count = 0; count < calls; ++count) answered.insert(client.receive()["id"].get<int>());
    CHECK(answered.size() == static_cast<std::size_t>(calls));
    client.close_input();
    CHECK(client.ended());
}

TEST_CASE("a line that is no message is answered without an id") {
    Client client;
    client.send("nonsense\n");
    const Json answer = client.receive();
    CHECK(answer["error"]["code"] == -32700);
    CHECK_FALSE(answer.contains("id"));
    client.close_input();
    CHECK(client.ended());
}

TEST_CASE("a line that is too long is refused and the next one is answered") {
    Client client;
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
