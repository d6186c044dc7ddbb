// SPDX-License-Identifier: Apache-2.0
// From an answer to what is printed and to the exit code.
#include "base/subprocess.h"
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
    CHECK(berthd.err == "berth: no container 'x'\n  field: /name\n  next: call container_list\n");
    SECTION("and with --json to standard output too") {
        CHECK(berthd.run({"container", "get", "x", "--json"}) == 3);
        const auto error = Json::parse(berthd.out)["error"];
        CHECK(error["code"] == "not_found");
        CHECK(error["message"] == "no container 'x'");
        CHECK(error["field"] == "/name");
        CHECK(error["hint"] == "call container_list");
        CHECK(berthd.run({"--json", "container", "create"}) == 2);
        CHECK(Json::parse(berthd.out)["error"]["code"] == "invalid_argument");
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

TEST_CASE("the completion scripts are scripts that know the catalogue", "[cli]") {
    FakeBerthd berthd;
    CHECK(berthd.run({"completion", "zsh"}) == 0);
    CHECK(berthd.out.starts_with("#compdef berth\n"));
    CHECK(berthd.out.contains("--memory-bytes"));
    REQUIRE(berthd.run({"completion", "bash"}) == 0);
    const auto completed = run_subprocess(
        {.argv =
             {"bash", "-c",
              "source /dev/stdin; COMP_WORDS=(berth container list --state s) COMP_CWORD=4; _berth;"
              " echo ${COMPREPLY[*]}; COMP_WORDS=(berth container '') COMP_CWORD=2; _berth;"
              " echo ${COMPREPLY[*]}; COMP_WORDS=(berth container create --n) COMP_CWORD=3; _berth;"
              " echo ${COMPREPLY[*]}"},
         .input = berthd.out});
    REQUIRE(completed.has_value());
    CHECK(completed->output == "stopped\ncreate delete exec get list logs start stop\n--no-start\n");
}
