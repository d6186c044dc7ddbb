// SPDX-License-Identifier: Apache-2.0
// `berth mcp` from words to files. What becomes of the files is in tests/mcp-server/clients.
#include "tests/mcp-server/cli/fake_berthd.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <sys/stat.h>

#include <cstdlib>

using namespace berth;
using namespace berth::cli;

namespace {

/// A home directory with a program that may be berth-mcp, for as long as this lives.
struct Home {
    Home() {
        if (const char* home = std::getenv("HOME")) home_before = home;
        ::setenv("HOME", directory.path().c_str(), 1);
        for (const char* name : {"XDG_CONFIG_HOME", "XDG_STATE_HOME", "CLAUDE_CONFIG_DIR",
                                 "CODEX_HOME", "SUDO_USER", "BERTH_SOCKET"}) {
            ::unsetenv(name);
        }
        directory.write("bin/berth-mcp", "");
        (void)::chmod(server.c_str(), 0755);
    }
    Home(const Home&) = delete;
    Home& operator=(const Home&) = delete;
    ~Home() { ::setenv("HOME", home_before.c_str(), 1); }

    std::string home_before;
    TemporaryDirectory directory;
    std::string server = directory.path() / "bin/berth-mcp";
    std::string cursor = directory.path() / ".cursor/mcp.json";
    FakeBerthd berthd;
};

}  // namespace

TEST_CASE("berth is installed into a client, shown, and taken out", "[mcp]") {
    Home home;
    auto& berthd = home.berthd;
    CHECK(berthd.run({"mcp", "install", "--client", "cursor", "--command", home.server}) == 0);
    CHECK(berthd.out == "client  cursor\nscope   user\nname    berth\nfile    " + home.cursor +
                            "\nchange  added\nnext    restart Cursor\n");
    CHECK(read_file(home.cursor)->contains(home.server));
    CHECK(berthd.run({"mcp", "install", "--client", "cursor", "--command", home.server}) == 0);
    CHECK(berthd.out.contains("note    it was there already\n"));
    CHECK(berthd.run({"mcp", "list", "--json"}) == 0);
    CHECK(Json::parse(berthd.out)["clients"][2]["leads_to"] == home.server + " --stdio");
    CHECK(berthd.run({"mcp", "uninstall", "--client", "cursor"}) == 0);
    CHECK(berthd.out.contains("change  removed\n"));
    CHECK_FALSE(std::filesystem::exists(home.cursor));
    CHECK(berthd.run({"mcp", "uninstall", "--client", "cursor"}) == 0);
    CHECK(berthd.out.contains("note    there was no such entry\n"));
    CHECK(berthd.tool.empty());
}

TEST_CASE("a dry run prints a diff", "[mcp]") {
    Home home;
    CHECK(home.berthd.run({"mcp", "install", "--client", "codex", "--dry-run", "--url",
                           "http://127.0.0.1:7420/mcp"}) == 0);
    CHECK(
        home.berthd.out.contains("\n+[mcp_servers.berth]\n+url = \"http://127.0.0.1:7420/mcp\"\n"));
    CHECK_FALSE(std::filesystem::exists(home.directory.path() / ".codex"));
}

TEST_CASE("another socket is told to berth-mcp", "[mcp]") {
    Home home;
    CHECK(home.berthd.run({"--socket", "/srv/b.sock", "mcp", "install", "--client", "gemini",
                           "--command", home.server}) == 0);
    const auto settings = read_file(home.directory.path() / ".gemini/settings.json").value();
    CHECK(Json::parse(settings)["mcpServers"]["berth"]["args"] ==
          Json{"--stdio", "--socket", "/srv/b.sock"});
}

TEST_CASE("a refusal says what to do instead", "[mcp]") {
    Home home;
    auto& berthd = home.berthd;
    CHECK(berthd.run({"mcp", "install", "--client", "cursor"}) ==
          3);  // no berth-mcp beside the test
    CHECK(berthd.err.contains("next: --command"));
    CHECK(berthd.run({"mcp", "install", "--client", "emacs"}) == 2);
    CHECK(berthd.err.contains("claude-code, cursor, vscode, codex, gemini"));
    CHECK(berthd.run({"mcp", "install"}) == 2);
    CHECK(berthd.run({"mcp", "remove"}) == 2);
    CHECK(berthd.err.contains("install, uninstall, list"));
    CHECK(berthd.run({"mcp", "install", "--client", "cursor", "--url", "ftp://x"}) == 2);
    CHECK(berthd.run({"mcp", "install", "--client", "cursor", "--url", "http://x", "--stdio"}) ==
          2);
    CHECK(berthd.run({"mcp", "install", "--client", "cursor", "--name", "a.b"}) == 2);
    CHECK(berthd.run({"mcp", "install", "--client", "cursor", "--scope", "world"}) == 2);

    home.directory.write(".cursor/mcp.json",
                         "{\"mcpServers\": {\"berth\": {\"url\": \"http://x\"}}}");
    CHECK(berthd.run({"mcp", "install", "--client", "cursor", "--command", home.server}) == 4);
    CHECK(berthd.err.contains("\n    -  \"url\": \"http://x\"\n"));
    CHECK(berthd.err.contains("next: --force"));
}

TEST_CASE("under sudo it is said whose files are meant", "[mcp]") {
    if (::geteuid() != 0) return;
    Home home;
    ::setenv("SUDO_USER", "ada", 1);
    CHECK(home.berthd.run({"mcp", "list", "--json"}) == 0);
    CHECK(home.berthd.err.contains("not of ada"));
    ::unsetenv("SUDO_USER");
}

TEST_CASE("the verbs of mcp explain themselves", "[mcp]") {
    Home home;
    CHECK(home.berthd.run({"mcp", "install", "--help"}) == 0);
    CHECK(home.berthd.out.contains("--client CLIENT"));
    CHECK(home.berthd.run({"--help"}) == 0);
    CHECK(home.berthd.out.contains("mcp uninstall"));
}
