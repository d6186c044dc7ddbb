// SPDX-License-Identifier: Apache-2.0
// Files as people have them (golden/CLIENT/CASE.before) and as they are with berth's entry in them
// (CASE.after). A case without an .after is one that is refused.
#include "base/files.h"
#include "mcp-server/clients/installer.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <algorithm>
#include <vector>

using namespace berth;
using namespace berth::clients;

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> cases() {
    std::vector<fs::path> found;
    for (const auto& file : fs::recursive_directory_iterator(BERTH_GOLDEN)) {
        if (file.path().extension() == ".before") found.push_back(file.path());
    }
    std::ranges::sort(found);
    return found;
}

std::string content(const fs::path& file) {
    return read_file(file).value();
}

Places places_in(const fs::path& home) {
    return {.home = home,
            .project = home / "project",
            .config = home / ".config",
            .claude = home,
            .codex = home / ".codex",
            .state = home / ".local" / "state" / "berth"};
}

const Server server{.command = "/usr/local/bin/berth-mcp", .args = {"--stdio"}};

}  // namespace

TEST_CASE("there are cases for every client", "[golden]") {
    for (const auto& client : all_clients()) {
        for (const char* name : {"empty", "others", "comments", "crlf", "bom", "malformed"}) {
            CAPTURE(client.name, name);
            const auto file = fs::path(BERTH_GOLDEN) / client.name / name;
            CHECK(fs::exists(file.string() + ".before"));
        }
    }
}

TEST_CASE("an entry goes into a file as it is, and out again without a trace", "[golden]") {
    for (const auto& before : cases()) {
        CAPTURE(before.string());
        const auto* client = find_client(before.parent_path().filename().string());
        REQUIRE(client != nullptr);
        auto after = before;
        after.replace_extension(".after");
        const TemporaryDirectory home;
        const auto places = places_in(home.path());
        const auto file = client->file(Scope::user, places);
        home.write(file.lexically_relative(home.path()), content(before));

        const Wanted wanted{.client = client};
        const auto put = install(wanted, server, false, places);
        if (!fs::exists(after)) {
            REQUIRE_FALSE(put);
            CHECK(put.error().code == ErrorCode::invalid_argument);
            CHECK(put.error().hint.starts_with("add this by hand:\n"));
            CHECK(put.error().hint.contains("/usr/local/bin/berth-mcp"));
            CHECK(content(file) == content(before));
            CHECK_FALSE(fs::exists(home.path() / ".local"));
            continue;
        }
        REQUIRE(put);
        CHECK(put->change == "added");
        CHECK(content(file) == content(after));

        const auto again = install(wanted, server, false, places);
        REQUIRE(again);
        CHECK(again->change == "none");
        CHECK(content(file) == content(after));

        const auto taken = uninstall(wanted, places);
        REQUIRE(taken);
        CHECK(taken->change == "removed");
        CHECK(content(file) == content(before));
        CHECK_FALSE(fs::exists(home.path() / ".local"));
    }
}

TEST_CASE("without the ledger an entry is removed too, and nothing else", "[golden]") {
    for (const auto& before : cases()) {
        auto after = before;
        after.replace_extension(".after");
        if (!fs::exists(after)) continue;
        CAPTURE(before.string());
        const auto* client = find_client(before.parent_path().filename().string());
        const auto removed = remove_entry(*client, content(after), "berth", true);
        if (!removed) {  // a form that is not safe to edit: a person has to
            CHECK(before.string().contains("codex/comments"));
            continue;
        }
        auto left = whole_value(*client, *removed).value();
        auto was = whole_value(*client, content(before)).value();
        for (auto* value : {&left, &was}) {
            if (value->contains(client->list) && (*value)[std::string(client->list)].empty()) {
                value->erase(std::string(client->list));
            }
        }
        CHECK(left == was);
    }
}
