// SPDX-License-Identifier: Apache-2.0
// The program itself, in front of a berthd that is real as far as its socket: what shells,
// terminals and signals do to it.
#include "base/http_server.h"
#include "base/subprocess.h"
#include "mcp-server/jsonrpc/rpc_endpoint.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <semaphore>
#include <thread>

using namespace berth;

namespace {

/// Knows two containers; a create goes on until it is cancelled.
class Host final : public Invoker {
public:
    Result<Json> invoke(std::string_view tool, const Json&, const Call& call) override {
        if (tool == "container_list") {
            return Json::parse(R"({"containers": [{"name": "ada", "state": "running"},
                                              {"name": "web", "state": "stopped"}], "total": 2})");
        }
        if (tool != "container_create") return fail(ErrorCode::unsupported, "not here");
        creating.release();
        over.acquire();
        return fail(ErrorCode::unavailable, call.cancelled.stop_requested() ? "stopped" : "over");
    }
    std::counting_semaphore<> creating{0};
    std::counting_semaphore<> over{0};
};

struct Daemon {
    Daemon() {
        server = HttpServer::listen(
            UnixEndpoint{.path = socket},
            [this](const HttpRequest& request) { return answer_rpc(request, host); });
        REQUIRE(server);
    }
    TemporaryDirectory directory;
    std::string socket = directory.path() / "berthd.sock";
    Host host;
    Result<std::unique_ptr<HttpServer>> server;
};

std::vector<std::string> environment(const std::string& socket) {
    return {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "TERM=xterm",
            "BERTH_SOCKET=" + socket, "HOME=/nonexistent"};
}

SubprocessResult run(std::vector<std::string> argv, const std::string& socket,
                     const std::string& input = "") {
    auto result = run_subprocess(
        {.argv = std::move(argv), .input = input, .environment = environment(socket)});
    REQUIRE(result);
    return *std::move(result);
}

/// What bash offers when TAB is pressed behind these words.
std::string in_bash(const std::string& words, int current, const std::string& socket) {
    const auto script = run({BERTH_PROGRAM, "completion", "bash"}, socket).output;
    const auto done =
        run({"bash", "-c",
             "source /dev/stdin; COMP_WORDS=(" BERTH_PROGRAM " " + words +
                 ") COMP_CWORD=" + std::to_string(current) + "; _berth; echo \"${COMPREPLY[*]}\""},
            socket, script);
    CHECK(done.errors.empty());
    return done.output;
}

/// The same in zsh, whose own functions are stood in for by ones that print what they are given.
std::string in_zsh(const std::string& words, int current, const std::string& prefix,
                   const std::string& socket) {
    const auto script = run({BERTH_PROGRAM, "completion", "zsh"}, socket).output;
    const auto done = run(
        {"zsh", "-f", "-c",
         "compdef() { }; _describe() { print -l -- ${(P)4} }; _files() { print FILES };"
         "source /dev/stdin; words=(" BERTH_PROGRAM " " +
             words + ") CURRENT=" + std::to_string(current) + " PREFIX='" + prefix + "'; _berth"},
        socket, script);
    CHECK(done.errors.empty());
    return done.output;
}

bool there_is_zsh() {
    const auto found = run_subprocess({.argv = {"zsh", "-f", "-c", "true"}});
    return found && found->exit_code == 0;
}

/// A program at the end of a terminal of 40 columns. What it writes is read until it ends.
struct InTerminal {
    explicit InTerminal(const std::vector<std::string>& words, const std::string& socket) {
        winsize size{.ws_row = 24, .ws_col = 40, .ws_xpixel = 0, .ws_ypixel = 0};
        int controller = -1;
        child = ::forkpty(&controller, nullptr, nullptr, &size);
        REQUIRE(child >= 0);
        if (child == 0) start(words, socket);
        screen = Fd(controller);
    }
    InTerminal(const InTerminal&) = delete;
    InTerminal& operator=(const InTerminal&) = delete;
    ~InTerminal() {
        if (child > 0) (void)::kill(child, SIGKILL);
    }

    [[noreturn]] static void start(const std::vector<std::string>& words,
                                   const std::string& socket) {
        std::vector<std::string> argv{BERTH_PROGRAM};
        argv.insert(argv.end(), words.begin(), words.end());
        auto variables = environment(socket);
        std::vector<char*> argument_pointers;
        std::vector<char*> variable_pointers;
        for (auto& word : argv) argument_pointers.push_back(word.data());
        for (auto& variable : variables) variable_pointers.push_back(variable.data());
        argument_pointers.push_back(nullptr);
        variable_pointers.push_back(nullptr);
        ::execve(argv[0].c_str(), argument_pointers.data(), variable_pointers.data());
        ::_exit(127);
    }

    /// Reads until `text` has come, or the program has ended.
    bool read_until(const std::string& text) {
        std::array<char, 1024> bytes{};
        while (!seen.contains(text)) {
            const auto got = ::read(screen.get(), bytes.data(), bytes.size());
            if (got <= 0) return false;
            seen.append(bytes.data(), static_cast<std::size_t>(got));
        }
        return true;
    }

    int exit_code() {
        while (read_until(std::string(1, '\0'))) {
        }
        int status = 0;
        REQUIRE(::waitpid(std::exchange(child, -1), &status, 0) > 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

    pid_t child = -1;
    Fd screen;
    std::string seen;
};

}  // namespace

TEST_CASE("bash completes verbs, options, values and names", "[program]") {
    const Daemon daemon;
    CHECK(in_bash("cont", 1, daemon.socket) == "container\n");
    CHECK(in_bash("container ''", 2, daemon.socket)
              .starts_with("create delete exec export fork get import list"));
    CHECK(in_bash("container create --no", 3, daemon.socket) == "--no-start\n");
    CHECK(in_bash("container list --state s", 4, daemon.socket) == "stopped\n");
    CHECK(in_bash("container stop ''", 3, daemon.socket) == "ada web\n");
    CHECK(in_bash("container stop w", 3, daemon.socket) == "web\n");
    CHECK(in_bash("container exec ada l", 4, daemon.socket) == "\n");
}

TEST_CASE("bash completes what it can when berthd is down", "[program]") {
    CHECK(in_bash("tunnel --sentinel front.example --base", 4, "/nonexistent/socket") ==
          "--base-domain\n");
    CHECK(in_bash("container st", 2, "/nonexistent/socket") == "start stop\n");
    CHECK(in_bash("container stop ''", 3, "/nonexistent/socket") == "\n");
}

TEST_CASE("a berthd that does not answer holds up nobody who types", "[program]") {
    const TemporaryDirectory directory;
    const auto path = directory.path() / "berthd.sock";
    const auto mute = listen_on(UnixEndpoint{.path = path});
    REQUIRE(mute);
    CHECK(in_bash("container stop ''", 3, path) == "\n");  // or the test's own time limit ends it
}

TEST_CASE("zsh completes the same, and says what it is about", "[program]") {
    if (!there_is_zsh()) return;
    const Daemon daemon;
    CHECK(in_zsh("container sto", 3, "sto", daemon.socket) == "stop:Stop a container\n");
    CHECK(in_zsh("container stop ''", 4, "", daemon.socket) == "ada:running\nweb:stopped\n");
    CHECK(in_zsh("container exec ada l", 5, "l", daemon.socket) == "FILES\n");
    CHECK(in_zsh("cont", 2, "cont", daemon.socket) == "container\n");
    CHECK(in_zsh("tunnel --base", 3, "--base", daemon.socket) ==
          "--base-domain:All names below this one\n");
}

TEST_CASE("a terminal gets colours and no more columns than it has", "[program]") {
    const Daemon daemon;
    InTerminal berth({"container", "list"}, daemon.socket);
    CHECK(berth.exit_code() == 0);
    CHECK(berth.seen ==
          "\x1b[1mNAME\x1b[0m  \x1b[1mSTATE\x1b[0m\r\n"
          "ada   \x1b[32mrunning\x1b[0m\r\nweb   \x1b[33mstopped\x1b[0m\r\n");
    CHECK(run({BERTH_PROGRAM, "container", "list"}, daemon.socket).output ==
          "NAME  STATE\nada   running\nweb   stopped\n");
}

TEST_CASE("a long call draws its progress, and ^C ends it with 130", "[program]") {
    Daemon daemon;
    InTerminal berth({"container", "create", "ada"}, daemon.socket);
    daemon.host.creating.acquire();
    CHECK(berth.read_until("| container create"));
    REQUIRE(::write(berth.screen.get(), "\x03", 1) == 1);
    CHECK(berth.exit_code() == 130);
    daemon.host.over.release();
    CHECK(berth.seen.contains("\r\x1b[2K\x1b[31mberth:\x1b[0m interrupted"));
}

TEST_CASE("without a terminal a long call says nothing until it is over", "[program]") {
    Daemon daemon;
    daemon.host.over.release();
    const auto done = run({BERTH_PROGRAM, "container", "create", "ada"}, daemon.socket);
    CHECK(done.exit_code == 8);
    CHECK(done.output.empty());
    CHECK(done.errors == "berth: over\n");
}
