// SPDX-License-Identifier: Apache-2.0
#include "tests/mcp-server/cli/fake_berthd.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <sys/stat.h>

using namespace berth;
using namespace berth::cli;
namespace fs = std::filesystem;

namespace {

const Json answer{{"config", "Host ada\n    UserKnownHostsFile ~/.ssh/berth_known_hosts\n"},
                  {"known_hosts", "berth-1 ssh-ed25519 AAAA\n"},
                  {"containers", {"ada"}}};

/// A home directory of the test's own.
struct Home {
    TemporaryDirectory directory;
    std::string before = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "/";
    Home() { ::setenv("HOME", directory.path().c_str(), 1); }
    Home(const Home&) = delete;
    Home& operator=(const Home&) = delete;
    ~Home() { ::setenv("HOME", before.c_str(), 1); }
    [[nodiscard]] fs::path ssh() const { return directory.path() / ".ssh"; }
};

unsigned mode_of(const fs::path& path) {
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 0777U;
}

}  // namespace

TEST_CASE("the entries and the pinned keys are written for the owner alone", "[ssh-config]") {
    const Home home;
    FakeBerthd berthd{.answer = answer};
    CHECK(berthd.run({"ssh-config", "sync", "--host", "box"}) == 0);
    CHECK(berthd.tool == "ssh_config");
    CHECK(berthd.arguments == Json{{"host", "box"}});
    CHECK(read_file(home.ssh() / "berth_config").value() == answer["config"].get<std::string>());
    CHECK(read_file(home.ssh() / "berth_known_hosts").value() ==
          answer["known_hosts"].get<std::string>());
    CHECK(mode_of(home.ssh()) == 0700);
    CHECK(mode_of(home.ssh() / "berth_config") == 0600);
    CHECK(mode_of(home.ssh() / "berth_known_hosts") == 0600);
    CHECK_FALSE(fs::exists(home.ssh() / "config"));
    CHECK(berthd.out.contains((home.ssh() / "berth_config").string()));
}

TEST_CASE("in another directory the entries name the known hosts there", "[ssh-config]") {
    const Home home;
    const auto directory = home.directory.path() / "else where";
    FakeBerthd berthd{.answer = answer};
    CHECK(berthd.run({"ssh-config", "sync", "--dir", directory.string(), "--include"}) == 0);
    const auto quoted = "\"" + (directory / "berth_known_hosts").string() + "\"";
    CHECK(read_file(directory / "berth_config").value() ==
          "Host ada\n    UserKnownHostsFile " + quoted + "\n");
    CHECK(read_file(directory / "config").value() ==
          "Include \"" + (directory / "berth_config").string() + "\"\n");
    SECTION("unless it is ~/.ssh by its full name") {
        CHECK(berthd.run({"ssh-config", "sync", "--dir", home.ssh().string() + "/"}) == 0);
        CHECK(read_file(home.ssh() / "berth_config").value() ==
              answer["config"].get<std::string>());
    }
}

TEST_CASE("the user's configuration includes the entries first, once, and keeps the rest",
          "[ssh-config]") {
    const Home home;
    home.directory.write(".ssh/real", "Host *\n    Compression yes\n");
    fs::create_symlink("real", home.ssh() / "config");
    fs::permissions(home.ssh() / "real", fs::perms{0640});
    FakeBerthd berthd{.answer = answer};
    for (int round = 0; round < 2; ++round) {
        CHECK(berthd.run({"ssh-config", "sync", "--include"}) == 0);
        CHECK(read_file(home.ssh() / "config").value() ==
              "Include berth_config\nHost *\n    Compression yes\n");
        CHECK(fs::is_symlink(home.ssh() / "config"));
        CHECK(mode_of(home.ssh() / "real") == 0640);
    }
}

TEST_CASE("nothing is written when berthd refuses", "[ssh-config]") {
    const Home home;
    FakeBerthd berthd{
        .answer = std::unexpected(make_error(ErrorCode::unavailable, "berthd is not running"))};
    CHECK(berthd.run({"ssh-config", "sync", "--include"}) == 8);
    CHECK_FALSE(fs::exists(home.ssh()));
}

TEST_CASE("the result is JSON when that is asked for", "[ssh-config]") {
    const Home home;
    FakeBerthd berthd{.answer = answer};
    CHECK(berthd.run({"ssh-config", "sync", "--include", "--json"}) == 0);
    const auto wrote = Json::parse(berthd.out);
    CHECK(wrote["containers"] == Json::array({"ada"}));
    CHECK(wrote["included_in"] == (home.ssh() / "config").string());
}
