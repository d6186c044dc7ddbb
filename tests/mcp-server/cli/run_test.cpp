// SPDX-License-Identifier: Apache-2.0
// From an answer to what is printed and to the exit code.
#include "tests/mcp-server/cli/fake_berthd.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::cli;

namespace {

Json exec_result(const std::string& more) {
    auto result = Json::parse(R"({"timed_out": false, "duration_ms": 3,
        "stdout": {"text": "out\n", "bytes": 4, "omitted_bytes": 0, "lossy": false},
        "stderr": {"text": "err\n", "bytes": 4, "omitted_bytes": 0, "lossy": false}})");
    result.update(Json::parse(more));
    return result;
}

}  // namespace

TEST_CASE("a command's output and exit code are passed on", "[cli]") {
    FakeBerthd berthd{.answer = exec_result(R"({"exit_code": 7})")};
    CHECK(berthd.run({"container", "exec", "web", "ls"}) == 7);
    CHECK(berthd.out == "out\n");
    CHECK(berthd.err == "err\n");
    SECTION("a signal is 128 and its number") {
        berthd.answer = exec_result(R"({"signal": "SIGKILL"})");
        CHECK(berthd.run({"container", "exec", "web", "ls"}) == 137);
    }
    SECTION("a timeout is 124 and says so") {
        berthd.answer = exec_result(R"({"signal": "SIGKILL", "timed_out": true})");
        CHECK(berthd.run({"container", "exec", "web", "ls"}) == 124);
        CHECK(berthd.err.contains("its time was up"));
    }
    SECTION("as JSON it is one result like any other") {
        CHECK(berthd.run({"--json", "container", "exec", "web", "ls"}) == 0);
        CHECK(Json::parse(berthd.out)["exit_code"] == 7);
        CHECK(berthd.err.empty());
    }
}

TEST_CASE("an error goes to standard error, with its field, its next step and its exit code",
          "[cli]") {
    FakeBerthd berthd{.answer = std::unexpected(make_error(ErrorCode::not_found, "no container 'x'")
                                                    .at("/name")
                                                    .next("call container_list"))};
    CHECK(berthd.run({"container", "get", "x"}) == 3);
    CHECK(berthd.out.empty());
    CHECK(berthd.err == "berth: no container 'x'\n  at: /name\n  next: berth container list\n");
    SECTION("with --json as one object, and standard output stays empty") {
        CHECK(berthd.run({"container", "get", "x", "--json"}) == 3);
        CHECK(berthd.out.empty());
        const auto error = Json::parse(berthd.err)["error"];
        CHECK(error["code"] == "not_found");
        CHECK(error["message"] == "no container 'x'");
        CHECK(error["field"] == "/name");
        CHECK(error["hint"] == "call container_list");
        CHECK(berthd.run({"--json", "container", "create"}) == 2);
        CHECK(Json::parse(berthd.err)["error"]["code"] == "invalid_argument");
        CHECK(berthd.out.empty());
    }
}

TEST_CASE("--json prints exactly what the tool answered", "[cli]") {
    FakeBerthd berthd{.answer = Json::parse(R"({"b": [1, {"a": "\u001b\u007f"}], "a": 1.5})"),
                      .out_device = {.terminal = true, .columns = 10}};
    CHECK(berthd.run({"container", "list", "--json", "--color", "always"}) == 0);
    CHECK(berthd.out == "{\"b\":[1,{\"a\":\"\\u001b\\u007f\"}],\"a\":1.5}\n");
}

TEST_CASE("colours are chosen with --color", "[cli]") {
    FakeBerthd berthd{.answer = Json{{"state", "running"}}};
    CHECK(berthd.run({"container", "get", "a"}) == 0);
    CHECK(berthd.out == "state  running\n");
    CHECK(berthd.run({"container", "get", "a", "--color", "always"}) == 0);
    CHECK(berthd.out.contains("\x1b[32mrunning"));
    CHECK(berthd.run({"--color=never", "container", "get", "a"}) == 0);
    CHECK(berthd.out == "state  running\n");
    CHECK(berthd.run({"--color", "blue", "container", "get", "a"}) == 2);
    CHECK(berthd.err.contains("auto, always, never"));
}

TEST_CASE("a command's output reaches a file as it is and a terminal without its escapes",
          "[cli]") {
    FakeBerthd berthd{.answer = exec_result(R"({"exit_code": 0})")};
    berthd.answer.value()["stdout"]["text"] = "a\x1b[2J\tb\n";
    CHECK(berthd.run({"container", "exec", "web", "ls"}) == 0);
    CHECK(berthd.out == "a\x1b[2J\tb\n");
    berthd.out_device = {.terminal = true, .columns = 80};
    CHECK(berthd.run({"container", "exec", "web", "ls"}) == 0);
    CHECK(berthd.out == "a^[[2J\tb\n");
}

TEST_CASE("an interrupted call is cancelled and exits as interrupted", "[cli]") {
    FakeBerthd berthd{.answer = std::unexpected(make_error(ErrorCode::unavailable, "cut off")),
                      .interrupt = true};
    CHECK(berthd.run({"container", "create", "ada"}) == 130);
    CHECK(berthd.cancelled);
    CHECK(berthd.out.empty());
    CHECK(berthd.err == "berth: interrupted, and the call was cancelled\n");
    SECTION("but a result that came all the same is shown") {
        berthd.answer = Json{{"name", "ada"}};
        CHECK(berthd.run({"container", "create", "ada"}) == 0);
        CHECK(berthd.out == "name  ada\n");
    }
}

TEST_CASE("help names every verb, every option and what it means", "[cli]") {
    FakeBerthd berthd;
    CHECK(berthd.run({"--help"}) == 0);
    CHECK(berthd.out.contains("container create"));
    CHECK(berthd.out.contains("ssh-config sync"));
    CHECK(berthd.run({"container", "--help"}) == 0);
    CHECK(berthd.out.contains("berth container delete"));
    CHECK(berthd.run({"container", "create", "--help"}) == 0);
    CHECK(berthd.out.contains("--memory-bytes N"));
    CHECK(berthd.out.contains("Memory at most"));
    CHECK(berthd.out.contains("--no-start"));
    CHECK(berthd.run({"ssh-config", "sync", "--help"}) == 0);
    CHECK(berthd.out.contains("--include"));
    CHECK(berthd.run({"--version"}) == 0);
    CHECK(berthd.out.starts_with("berth "));
    CHECK(berthd.tool.empty());
}

TEST_CASE("a wrong word is answered with the ones that fit", "[cli]") {
    FakeBerthd berthd;
    CHECK(berthd.run({"contaner", "list"}) == 2);
    CHECK(berthd.err.contains("berth container --help"));
    CHECK(berthd.run({"container", "remove"}) == 2);
    CHECK(berthd.err.contains("create, delete, exec"));
}
