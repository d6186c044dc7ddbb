// SPDX-License-Identifier: Apache-2.0
// What happens to a home directory. The texts themselves are in golden_test.cpp.
#include "mcp-server/clients/installer.h"

#include "base/files.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <sys/stat.h>

#include <map>

using namespace berth;
using namespace berth::clients;

namespace {

namespace fs = std::filesystem;

const Server stdio{.command = "/usr/local/bin/berth-mcp", .args = {"--stdio"}};
const Server http{.url = "http://127.0.0.1:7420/mcp"};

struct Home {
    TemporaryDirectory directory;
    fs::path path = directory.path();
    Places places{.home = path,
                  .project = path / "work",
                  .config = path / ".config",
                  .claude = path,
                  .codex = path / ".codex",
                  .state = path / ".local" / "state" / "berth"};
    fs::path cursor = path / ".cursor" / "mcp.json";

    Wanted wanted(std::string_view client, Scope scope = Scope::user) const {
        return {.client = find_client(client), .scope = scope};
    }
    Result<Outcome> put(std::string_view client, const Server& server = stdio, bool force = false) {
        return install(wanted(client), server, force, places);
    }
    /// Every file with its content and mode, and every directory.
    std::map<std::string, std::string> all() const {
        std::map<std::string, std::string> found;
        for (const auto& at : fs::recursive_directory_iterator(path)) {
            const auto mode = std::to_string(static_cast<int>(at.status().permissions()));
            found[at.path().string()] =
                mode + (at.is_regular_file() ? read_file(at.path()).value() : "");
        }
        return found;
    }
};

}  // namespace

TEST_CASE("what berth made goes with it, directories too", "[installer]") {
    const auto scope = GENERATE(Scope::user, Scope::project);
    for (const auto& client : all_clients()) {
        CAPTURE(client.name);
        Home home;
        fs::create_directory(home.path / "work");
        const auto before = home.all();
        const auto put = install(home.wanted(client.name, scope), stdio, false, home.places);
        REQUIRE(put);
        CHECK(put->change == "added");
        CHECK(fs::exists(put->file));
        CHECK(put->diff.starts_with("--- /dev/null\n"));
        const auto taken = uninstall(home.wanted(client.name, scope), home.places);
        REQUIRE(taken);
        CHECK(taken->change == "removed");
        CHECK(home.all() == before);
    }
}

TEST_CASE("a user's file is the user's alone and a project's is for all", "[installer]") {
    Home home;
    REQUIRE(home.put("cursor"));
    REQUIRE(install(home.wanted("cursor", Scope::project), stdio, false, home.places));
    struct stat status{};
    REQUIRE(::stat(home.cursor.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    REQUIRE(::stat((home.path / "work/.cursor/mcp.json").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0644);
}

TEST_CASE("mode and symbolic link stay, and the link's target is written", "[installer]") {
    Home home;
    home.directory.write("dotfiles/cursor.json", "{}\n");
    fs::permissions(home.path / "dotfiles/cursor.json", fs::perms(0640));
    fs::create_directory(home.path / ".cursor");
    fs::create_symlink("../dotfiles/cursor.json", home.cursor);
    const auto before = home.all();
    REQUIRE(home.put("cursor"));
    CHECK(fs::is_symlink(home.cursor));
    struct stat status{};
    REQUIRE(::stat(home.cursor.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0640);
    REQUIRE(uninstall(home.wanted("cursor"), home.places));
    CHECK(home.all() == before);
}

TEST_CASE("a link that leads nowhere is not replaced", "[installer]") {
    Home home;
    fs::create_directory(home.path / ".cursor");
    fs::create_symlink("nowhere.json", home.cursor);
    CHECK_FALSE(home.put("cursor"));
    CHECK(fs::is_symlink(home.cursor));
}

TEST_CASE("another entry of the name is replaced by force alone", "[installer]") {
    Home home;
    const std::string mine = "{\"mcpServers\": {\"berth\": {\"command\": \"/opt/mine\"}}}\n";
    home.directory.write(".cursor/mcp.json", mine);
    const auto refused = home.put("cursor");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::already_exists);
    CHECK(refused.error().message.contains("-  \"command\": \"/opt/mine\"\n"));
    CHECK(refused.error().message.contains("+  \"command\": \"/usr/local/bin/berth-mcp\""));
    CHECK(refused.error().hint.contains("--force"));
    CHECK(read_file(home.cursor) == mine);

    const auto forced = home.put("cursor", stdio, true);
    REQUIRE(forced);
    CHECK(forced->change == "replaced");
    SECTION("and undone gives the other one back") {
        const auto taken = uninstall(home.wanted("cursor"), home.places);
        REQUIRE(taken);
        CHECK(taken->change == "restored");
        CHECK(read_file(home.cursor) == mine);
        CHECK(uninstall(home.wanted("cursor"), home.places)->change == "removed");
    }
}

TEST_CASE("berth's own entry is replaced and undone as if it had never been", "[installer]") {
    Home home;
    const auto* const before = GENERATE("{}", "{\"mcpServers\": {\n}}\n", "");
    home.directory.write(".cursor/mcp.json", before);
    REQUIRE(home.put("cursor"));
    CHECK_FALSE(home.put("cursor", http));
    REQUIRE(home.put("cursor", http, true));
    CHECK(read_file(home.cursor)->contains("7420"));
    CHECK(uninstall(home.wanted("cursor"), home.places)->change == "removed");
    CHECK(read_file(home.cursor) == before);
    CHECK_FALSE(fs::exists(home.path / ".local"));
}

TEST_CASE("an entry that means the same is left as it is written", "[installer]") {
    Home home;
    home.directory.write(".cursor/mcp.json",
                         "{\"mcpServers\": {\"berth\": {\"args\": [\"--stdio\"], "
                         "\"command\": \"/usr/local/bin/berth-mcp\"}}}");
    const auto before = home.all();
    const auto put = home.put("cursor");
    REQUIRE(put);
    CHECK(put->change == "none");
    CHECK(home.all() == before);
}

TEST_CASE("a dry run shows the change and makes none", "[installer]") {
    Home home;
    home.directory.write(".gemini/settings.json", "{\n  \"theme\": \"x\"\n}\n");
    const auto before = home.all();
    auto wanted = home.wanted("gemini");
    wanted.dry_run = true;
    const auto put = install(wanted, http, false, home.places);
    REQUIRE(put);
    CHECK(put->diff.contains("+      \"httpUrl\": \"http://127.0.0.1:7420/mcp\"\n"));
    CHECK(home.all() == before);
    REQUIRE(home.put("gemini", http));
    const auto with = home.all();
    const auto taken = uninstall(wanted, home.places);
    REQUIRE(taken);
    CHECK(taken->diff.contains("-      \"httpUrl\""));
    CHECK(home.all() == with);
}

TEST_CASE("what a client or a person wrote since is kept", "[installer]") {
    Home home;
    REQUIRE(home.put("claude-code"));
    const auto file = home.path / ".claude.json";
    SECTION("when the client wrote it anew in its own form") {
        auto value = parse_json(read_file(file).value()).value();
        value["numStartups"] = 1;
        value["mcpServers"]["other"] = {{"command", "x"}};
        home.directory.write(".claude.json", value.dump());
        REQUIRE(uninstall(home.wanted("claude-code"), home.places));
        value["mcpServers"].erase("berth");
        CHECK(parse_json(read_file(file).value()) == value);
    }
    SECTION("when only the rest of the file changed, the place is as it was before") {
        home.directory.write(".cursor/mcp.json", "{\n  \"mcpServers\": {  }\n}\n");
        REQUIRE(home.put("cursor"));
        auto text = read_file(home.cursor).value();
        text.insert(2, "  \"new\": 1,\n");
        home.directory.write(".cursor/mcp.json", text);
        REQUIRE(uninstall(home.wanted("cursor"), home.places));
        CHECK(read_file(home.cursor) == "{\n  \"new\": 1,\n  \"mcpServers\": {  }\n}\n");
    }
    SECTION("when the entry was changed by hand, it goes all the same") {
        home.directory.write(".claude.json",
                             R"({"mcpServers": {"berth": {"command": "mine"}}, "a": 1})");
        CHECK(uninstall(home.wanted("claude-code"), home.places)->change == "removed");
        CHECK(parse_json(read_file(file).value()) == Json::parse(R"({"a": 1})"));
    }
}

TEST_CASE("to remove what is not there is no error", "[installer]") {
    Home home;
    const auto before = home.all();
    CHECK(uninstall(home.wanted("codex"), home.places)->change == "none");
    CHECK(home.all() == before);
}

TEST_CASE("two names in one file come and go by themselves", "[installer]") {
    Home home;
    auto other = home.wanted("codex");
    other.name = "berth-lab";
    REQUIRE(home.put("codex"));
    REQUIRE(install(other, http, false, home.places));
    CHECK(uninstall(home.wanted("codex"), home.places)->change == "removed");
    CHECK(read_file(home.path / ".codex/config.toml")->contains("[mcp_servers.berth-lab]"));
    CHECK_FALSE(read_file(home.path / ".codex/config.toml")->contains("[mcp_servers.berth]"));
    REQUIRE(uninstall(other, home.places));
}

TEST_CASE("a broken ledger costs exactness and nothing else", "[installer]") {
    Home home;
    REQUIRE(home.put("cursor"));
    const auto* const broken = GENERATE("", "{", "[]", R"({"entries": [7]})", R"({"entries": 7})",
                                        R"({"entries": [{"file": 7}]})");
    home.directory.write(".local/state/berth/mcp-clients.json", broken);
    CHECK(uninstall(home.wanted("cursor"), home.places)->change == "removed");
    CHECK(parse_json(read_file(home.cursor).value()) == Json::parse(R"({"mcpServers": {}})"));
}

TEST_CASE("the list tells who has it, and who cannot be read", "[installer]") {
    Home home;
    REQUIRE(home.put("vscode"));
    home.directory.write(".gemini/settings.json", "{");
    const auto list = list_entries("berth", home.places)["clients"];
    CHECK(list.size() == 2 * all_clients().size());
    for (const auto& row : list) {
        const bool here = row["client"] == "vscode" && row["scope"] == "user";
        CHECK(row["installed"] == here);
        if (here) CHECK(row["leads_to"] == "/usr/local/bin/berth-mcp --stdio");
        CHECK(row.contains("problem") == (row["client"] == "gemini" && row["scope"] == "user"));
    }
}

TEST_CASE("each client's entry has the form that its documentation asks for", "[installer]") {
    const auto form = [](std::string_view client, const Server& server) {
        return find_client(client)->entry(server);
    };
    CHECK(form("claude-code", stdio) ==
          Json::parse(R"({"type": "stdio", "command": "/usr/local/bin/berth-mcp",
                          "args": ["--stdio"], "env": {}})"));
    CHECK(form("claude-code", http) ==
          Json::parse(R"({"type": "http", "url": "http://127.0.0.1:7420/mcp"})"));
    CHECK(form("cursor", http) == Json::parse(R"({"url": "http://127.0.0.1:7420/mcp"})"));
    CHECK(form("vscode", stdio) == Json::parse(R"({"type": "stdio",
        "command": "/usr/local/bin/berth-mcp", "args": ["--stdio"]})"));
    CHECK(form("codex", stdio) ==
          Json::parse(R"({"command": "/usr/local/bin/berth-mcp", "args": ["--stdio"]})"));
    CHECK(form("gemini", http) == Json::parse(R"({"httpUrl": "http://127.0.0.1:7420/mcp"})"));
}
