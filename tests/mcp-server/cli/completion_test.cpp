// SPDX-License-Identifier: Apache-2.0
// What a half-typed line may go on with. The shells themselves are in program_test.cpp.
#include "mcp-server/cli/completion.h"

#include "mcp-server/cli/command_line.h"
#include "mcp-server/cli/tunnel_command.h"
#include "tests/support/catch.h"

#include <fmt/ranges.h>

using namespace berth;
using namespace berth::cli;

namespace {

using Words = std::vector<std::string>;

/// A host with a few of everything.
Result<Json> host(std::string_view tool, const Json&) {
    if (tool == "container_list") {
        return Json::parse(R"({"containers": [{"name": "ada", "state": "running"},
                                              {"name": "web", "state": "stopped"}], "total": 2})");
    }
    if (tool == "system_info") {
        return Json::parse(R"({"images": [{"name": "debian-12", "digest": "sha256:1"}]})");
    }
    if (tool == "port_list") {
        return Json::parse(R"({"ports": [{"host_port": 8080, "container": "ada"}]})");
    }
    return fail(ErrorCode::internal, "not asked for here");
}

Result<Json> nobody(std::string_view, const Json&) {
    return fail(ErrorCode::unavailable, "berthd is down");
}

std::string completed(Words words, const Ask& ask = host) {
    const auto found = complete(std::move(words), ask);
    std::string text;
    for (const auto& candidate : found.candidates) {
        text += (text.empty() ? "" : " ") + candidate.word;
    }
    return text + (found.files ? "<files>" : "");
}

}  // namespace

TEST_CASE("verbs are completed word by word", "[completion]") {
    CHECK(completed({"cont"}) == "container");
    CHECK(completed({"co"}) == "container completion");
    CHECK(completed({"container", "st"}) == "start stop");
    CHECK(completed({"--json", "--socket", "x", "port", "r"}) == "remove");
    CHECK(completed({"ssh-config", ""}) == "sync");
    CHECK(completed({"completion", ""}) == "bash zsh");
    CHECK(completed({"nosuch", ""}).empty());
    CHECK(completed({""}).starts_with("container"));
    CHECK(completed({}) == completed({""}));
}

TEST_CASE("options are those of the verb", "[completion]") {
    CHECK(completed({"container", "create", "ada", "--no"}) == "--no-start");
    CHECK(completed({"container", "delete", "--f"}) == "--force");
    CHECK(completed({"--v"}) == "--version");
    CHECK(completed({"container", "list", "--col"}) == "--color");
    CHECK(completed({"ssh-config", "sync", "--in"}) == "--include");
}

TEST_CASE("values of an enumeration are completed", "[completion]") {
    CHECK(completed({"container", "list", "--state", "r"}) == "running");
    CHECK(completed({"container", "list", "--color", ""}) == "auto always never");
    SECTION("behind an equals sign, as zsh gives it and as bash does") {
        CHECK(completed({"container", "list", "--state=r"}) == "--state=running");
        CHECK(completed({"container", "list", "--state", "=", "r"}) == "running");
        CHECK(completed({"container", "list", "--color", "="}) == "auto always never");
    }
}

TEST_CASE("the verbs that are no tools are completed as well", "[completion]") {
    CHECK(completed({"mcp", ""}) == "install list uninstall");
    CHECK(completed({"mcp", "install", "--client", "c"}) == "claude-code cursor codex");
    CHECK(completed({"mcp", "uninstall", "--f"}).empty());
    CHECK(completed({"mcp", "install", "--scope="}) == "--scope=user --scope=project");
}

TEST_CASE("a verb of one word has its options, and all of them", "[completion]") {
    CHECK(completed({"tu"}) == "tunnel");
    CHECK(completed({"tunnel", ""}).empty());
    CHECK(completed({"tunnel", "--forward", "443=127.0.0.1:1", "--ba"}) == "--base-domain");
    CHECK(completed({"tunnel", "--token-file", ""}) == "<files>");
    CHECK(completed({"tunnel", "--ca=/etc/"}) == "<files>");
    const Ask pools = [](std::string_view tool, const Json&) -> Result<Json> {
        CHECK(tool == "pool_list");
        return Json::parse(R"({"pools": [{"name": "lab"}, {"name": "prod"}]})");
    };
    CHECK(completed({"tunnel", "--pool", "p"}, pools) == "prod");
    std::string help;
    CommandLine line;
    REQUIRE(read_tunnel_command({"--help"}, line, help));
    const std::string all = " " + completed({"tunnel", "-"}) + " ";
    std::size_t found = 0;
    for (auto at = help.find("--"); at != std::string::npos;
         at = help.find("--", at + 2), ++found) {
        const auto option = help.substr(at, help.find_first_of(" ,\n", at) - at);
        CAPTURE(option);
        CHECK(all.contains(" " + option + " "));
    }
    CHECK(found > 12);
}

TEST_CASE("names are those that berthd knows", "[completion]") {
    CHECK(completed({"container", "stop", ""}) == "ada web");
    CHECK(completed({"container", "get", "w"}) == "web");
    CHECK(completed({"container", "delete", "--force", "a"}) == "ada");
    CHECK(completed({"port", "list", ""}) == "ada web");
    CHECK(completed({"container", "create", "x", "--image", "d"}) == "debian-12");
    CHECK(completed({"port", "remove", ""}) == "8080");
    SECTION("but a new name is nobody's") {
        CHECK(completed({"container", "create", ""}).empty());
    }
    SECTION("and a name is completed once") {
        CHECK(completed({"container", "stop", "ada", ""}).empty());
    }
    SECTION("with what they are about") {
        const auto found = complete({"container", "stop", "a"}, host);
        CHECK(completion_lines(found) == "ada\trunning\n");
    }
}

TEST_CASE("when berthd is down there are no names and everything else is there", "[completion]") {
    CHECK(completed({"container", "stop", ""}, nobody).empty());
    CHECK(completed({"container", "st"}, nobody) == "start stop");
}

TEST_CASE("no word from berthd is more than a word to a shell", "[completion]") {
    const Ask evil = [](std::string_view, const Json&) -> Result<Json> {
        return Json::parse(R"J({"containers": [{"name": "a;reboot"}, {"name": "$(x)"}, 7, null,
            {"name": "b\nc"}, {"name": ["d"]},
            {"name": "ok", "state": "x\n:files\t\u001b"}]})J");
    };
    const auto found = complete({"container", "stop", ""}, evil);
    CHECK(completion_lines(found) == "ok\tx^J:files^I^[\n");
    for (const char* answer : {"7", "[]", R"({"containers": 7})", R"({"containers": {"a": 1}})"}) {
        const Ask odd = [answer](std::string_view, const Json&) { return Json::parse(answer); };
        CHECK(completed({"container", "stop", ""}, odd).empty());
    }
}

TEST_CASE("a command that is to be run is completed with files alone", "[completion]") {
    CHECK(completed({"container", "exec", "a"}) == "ada");
    CHECK(completed({"container", "exec", "ada", "l"}) == "<files>");
    CHECK(completed({"container", "exec", "ada", "--", "ls", "-"}) == "<files>");
    CHECK(completed({"container", "exec", "--user", "root", "w"}) == "web");
    CHECK(completed({"container", "list", "--socket", "/run/"}) == "<files>");
}

TEST_CASE("the socket that a line names is the one that is asked", "[completion]") {
    CHECK(socket_among({"--socket", "/a", "container", "stop", ""}) == "/a");
    CHECK(socket_among({"container", "stop", "--socket=/b", ""}) == "/b");
    CHECK(socket_among({"container", "stop", ""}).empty());
}
