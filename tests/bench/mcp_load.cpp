// SPDX-License-Identifier: Apache-2.0
// Calls an MCP server again and again and says how long that took. As light as can be, so that what
// is measured is the server; tests/bench/mcp.py runs it against several in turn.
//
// usage: mcp_load stdio CALLS AT_ONCE METHOD COMMAND [ARGUMENT...]
//        mcp_load http CALLS AT_ONCE METHOD PORT
// METHOD is tools/call (of the tool echo), or any other method without parameters; "legacy:ping"
// speaks 2025-11-25 after an initialize. One line of JSON comes out, times in microseconds.
#include "base/http_client.h"
#include "tools-schema/contract/json.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <vector>

using namespace berth;
using Clock = std::chrono::steady_clock;

namespace {

[[noreturn]] void give_up(const std::string& why) {
    fmt::print(stderr, "mcp_load: {}\n", why);
    std::exit(EXIT_FAILURE);
}

std::int64_t microseconds(Clock::duration time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

struct What {
    std::string method;
    bool legacy = false;

    [[nodiscard]] std::string text(std::size_t id) const {
        if (legacy) return fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"{}"}})", id, method);
        const char* call =
            method == "tools/call" ? R"("name":"echo","arguments":{"text":"hello"},)" : "";
        return fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"{}","params":{{{})"
                           R"("_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                           R"("io.modelcontextprotocol/clientCapabilities":{{}}}}}}}})",
                           id, method, call);
    }
};

constexpr const char* initialize =
    R"({"jsonrpc":"2.0","id":"begin","method":"initialize","params":{"protocolVersion":)"
    R"("2025-11-25","capabilities":{},"clientInfo":{"name":"load","version":"1"}}})";

void report(std::vector<std::int64_t> times, Clock::duration whole, std::int64_t startup,
            std::int64_t resident) {
    std::ranges::sort(times);
    const auto at = [&](double part) {
        return times.at(static_cast<std::size_t>(static_cast<double>(times.size() - 1) * part));
    };
    const double seconds = static_cast<double>(microseconds(whole)) / 1e6;
    fmt::print("{}\n", to_text({{"p50", at(0.5)},
                                {"p99", at(0.99)},
                                {"per_second", static_cast<std::int64_t>(
                                                   static_cast<double>(times.size()) / seconds)},
                                {"startup", startup},
                                {"resident_kb", resident}}));
}

/// A server at the other end of two pipes.
class StdioServer {
public:
    explicit StdioServer(std::span<char*> command) : begun_(Clock::now()) {
        std::array<int, 2> in{};
        std::array<int, 2> out{};
        if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) {
            give_up("no pipe");
        }
        std::vector<char*> argv(command.begin(), command.end());
        argv.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ == 0) {
            (void)::dup2(in[0], STDIN_FILENO);
            (void)::dup2(out[1], STDOUT_FILENO);
            (void)::execvp(argv[0], argv.data());
            ::_exit(127);
        }
        (void)::close(in[0]);
        (void)::close(out[1]);
        to_ = in[1];
        from_ = out[0];
    }
    StdioServer(const StdioServer&) = delete;
    StdioServer& operator=(const StdioServer&) = delete;
    ~StdioServer() {
        (void)::close(to_);
        (void)::close(from_);
        (void)::waitpid(pid_, nullptr, 0);
    }
    void send(const std::string& line) const {
        if (::write(to_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
            give_up("the server reads no more");
        }
    }
    std::string receive() {
        std::size_t end = 0;
        while ((end = buffer_.find('\n', searched_)) == std::string::npos) {
            searched_ = buffer_.size();
            std::array<char, 65536> chunk{};
            const ssize_t got = ::read(from_, chunk.data(), chunk.size());
            if (got <= 0) give_up("the server said no more");
            buffer_.append(chunk.data(), static_cast<std::size_t>(got));
        }
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        searched_ = 0;
        return line;
    }
    [[nodiscard]] Clock::duration age() const { return Clock::now() - begun_; }
    [[nodiscard]] std::int64_t resident_kb() const {
        std::FILE* file = std::fopen(fmt::format("/proc/{}/statm", pid_).c_str(), "r");
        long pages = 0;
        if (file == nullptr || std::fscanf(file, "%*d %ld", &pages) != 1) return 0;
        (void)std::fclose(file);
        return pages * ::sysconf(_SC_PAGESIZE) / 1024;
    }

private:
    Clock::time_point begun_;
    pid_t pid_ = -1;
    int to_ = -1, from_ = -1;
    std::string buffer_;
    std::size_t searched_ = 0;
};

constexpr std::size_t edge_bytes = 200;

/// What all servers here write into, of what this program looks at: a search through the whole of a
/// long answer would take longer than the answer.
std::string_view beginning(std::string_view line) {
    return line.substr(0, edge_bytes);
}

/// The id of an answer, which is near its beginning or its end.
std::size_t id_of(std::string_view line) {
    const std::size_t first = beginning(line).find("\"id\":");
    const std::size_t before_end = line.size() - std::min(line.size(), edge_bytes);
    const std::size_t last = line.substr(before_end).rfind("\"id\":");
    const std::size_t at = last == std::string_view::npos ? last : before_end + last;
    for (const std::size_t place : {first, at}) {
        if (place == std::string::npos) continue;
        std::size_t id = 0;
        const char* begin = line.data() + place + std::strlen("\"id\":");
        if (std::from_chars(begin, line.data() + line.size(), id).ec == std::errc()) return id;
    }
    give_up(fmt::format("an answer without an id: {}", line));
}

void load_stdio(std::size_t calls, std::size_t at_once, const What& what,
                std::span<char*> command) {
    StdioServer server(command);
    server.send((what.legacy ? std::string(initialize)
                             : What{.method = "server/discover"}.text(999'999'999)) +
                "\n");
    (void)server.receive();
    const std::int64_t startup = microseconds(server.age());
    std::map<std::size_t, Clock::time_point> sent;
    std::vector<std::int64_t> times;
    std::size_t next = 0;
    const auto begun = Clock::now();
    while (times.size() < calls) {
        while (sent.size() < at_once && next < calls) {
            const std::string text = what.text(next) + "\n";
            sent.emplace(next++, Clock::now());
            server.send(text);
        }
        const std::string line = server.receive();
        const auto found = sent.find(id_of(line));
        if (found == sent.end() || beginning(line).contains("\"error\":{\"code\""))
            give_up("unexpected: " + line);
        times.push_back(microseconds(Clock::now() - found->second));
        sent.erase(found);
    }
    report(std::move(times), Clock::now() - begun, startup, server.resident_kb());
}

HttpRequest request_for(const What& what, std::size_t id) {
    HttpRequest request{.method = "POST",
                        .path = "/mcp",
                        .headers = {{"host", "127.0.0.1"},
                                    {"content-type", "application/json"},
                                    {"accept", "application/json, text/event-stream"},
                                    {"mcp-protocol-version", "2026-07-28"},
                                    {"mcp-method", what.method}},
                        .body = what.text(id)};
    if (what.method == "tools/call") request.headers.emplace("mcp-name", "echo");
    return request;
}

void load_http(std::size_t calls, std::size_t at_once, const What& what, std::uint16_t port) {
    std::vector<std::vector<std::int64_t>> times(at_once);
    const auto begun = Clock::now();
    {
        std::vector<std::jthread> threads;
        for (auto& own : times) {
            threads.emplace_back([&] {
                HttpClient client("127.0.0.1", port);
                for (std::size_t count = 0; count < calls / at_once; ++count) {
                    const auto request = request_for(what, count);
                    const auto sent = Clock::now();
                    const auto answer = client.send(request);
                    if (!answer || answer->status != 200) {
                        give_up(answer ? answer->body : answer.error().message);
                    }
                    own.push_back(microseconds(Clock::now() - sent));
                }
            });
        }
    }
    std::vector<std::int64_t> all;
    for (const auto& own : times) all.insert(all.end(), own.begin(), own.end());
    report(std::move(all), Clock::now() - begun, 0, 0);
}

}  // namespace

int main(int argc, char** argv) {
    const std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
    if (argc < 6) give_up("usage: mcp_load stdio|http CALLS AT_ONCE METHOD COMMAND...|PORT");
    (void)::signal(SIGPIPE, SIG_IGN);
    const std::size_t calls = std::stoul(arguments[2]);
    const std::size_t at_once = std::stoul(arguments[3]);
    const std::string method = arguments[4];
    const bool legacy = method.starts_with("legacy:");
    const What what{.method = legacy ? method.substr(7) : method, .legacy = legacy};
    if (std::string_view(arguments[1]) == "stdio") {
        load_stdio(calls, at_once, what, arguments.subspan(5));
    } else {
        load_http(calls, at_once, what, static_cast<std::uint16_t>(std::stoul(arguments[5])));
    }
}
