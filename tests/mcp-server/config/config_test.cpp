// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/config/config.h"

#include "tests/support/catch.h"

using namespace berth;

TEST_CASE("a file gives its values by key and by table") {
    auto file = ConfigFile::parse(
        "version = 1\nname = 'a'\nflag = true\nlist = ['x', 'y']\n[gpu]\nlease_seconds = 60\n",
        "f");
    REQUIRE(file);
    CHECK(file->string("name") == "a");
    CHECK(file->boolean("flag") == true);
    CHECK(file->strings("list") == std::vector<std::string>{"x", "y"});
    CHECK(file->integer("gpu.lease_seconds", 1, 100) == 60);
    CHECK_FALSE(file->string("absent"));
    CHECK(file->finish());
}

TEST_CASE("everything that is wrong is reported with its place") {
    auto file = ConfigFile::parse(
        "version = 1\nname = 7\n  port = 70000\nlist = ['x', 1]\n"
        "lissen = 'x'\n[gpu]\nlease = 1\n",
        "f.toml");
    REQUIRE(file);
    CHECK_FALSE(file->string("name"));
    CHECK_FALSE(file->integer("port", 1, 65535));
    CHECK_FALSE(file->strings("list"));
    (void)file->string("listen");
    (void)file->integer("gpu.lease_seconds");
    const auto finished = file->finish();
    REQUIRE_FALSE(finished);
    const std::string& message = finished.error().message;
    CAPTURE(message);
    CHECK(message.find("f.toml:2:8: name must be a string") != std::string::npos);
    CHECK(message.find("f.toml:3:10: port must be from 1 to 65535") != std::string::npos);
    CHECK(message.find("f.toml:4:8: list must be a list of strings") != std::string::npos);
    CHECK(message.find("f.toml:5:1: unknown key 'lissen'; did you mean 'listen'?") !=
          std::string::npos);
    CHECK(message.find("f.toml:7:1: unknown key 'gpu.lease'") != std::string::npos);
}

TEST_CASE("a version is needed, and it is 1") {
    const auto text = GENERATE(as<std::string>(), "", "version = 2\n", "version = '1'\n");
    auto file = ConfigFile::parse(text, "f.toml");
    REQUIRE(file);
    const auto finished = file->finish();
    REQUIRE_FALSE(finished);
    CHECK(finished.error().message.find("f.toml:1:") == 0);
}

TEST_CASE("text that is no TOML is refused with its place") {
    const auto file = ConfigFile::parse("version = 1\nname = \n", "f.toml");
    REQUIRE_FALSE(file);
    CHECK(file.error().code == ErrorCode::invalid_argument);
    CHECK(file.error().message.find("f.toml:2:") == 0);
}

TEST_CASE("tables with any keys and arrays of tables are read and checked like the rest") {
    const std::string text =
        "version = 1\n[tools]\na = 'x'\nb = 'y'\n[[rules]]\nname = 'r'\n[[rules]]\n"
        "nam = 's'\n[[other]]\nx = 1\n";
    auto file = ConfigFile::parse(text, "f.toml");
    REQUIRE(file);
    CHECK(file->keys("tools") == std::vector<std::string>{"a", "b"});
    CHECK(file->string("tools.a") == "x");
    CHECK(file->tables("rules") == 2);
    CHECK(file->string("rules[0].name") == "r");
    CHECK_FALSE(file->has("rules[1].name"));
    file->reject("rules[1].name", "is missing");
    CHECK(file->keys("absent").empty());
    CHECK(file->tables("absent") == 0);
    const auto finished = file->finish();
    REQUIRE_FALSE(finished);
    CAPTURE(finished.error().message);
    const auto says = [&](const char* part) {
        return finished.error().message.find(part) != std::string::npos;
    };
    CHECK(says("f.toml:4:1: unknown key 'tools.b'"));
    CHECK(says("f.toml:7:1: rules[1].name is missing"));
    CHECK(says("f.toml:8:1: unknown key 'rules[1].nam'; did you mean 'rules[1].name'?"));
    CHECK(says("f.toml:9:3: unknown key 'other'"));

    auto wrong = ConfigFile::parse("version = 1\ntools = 1\nrules = [1]\n", "f.toml");
    REQUIRE(wrong);
    CHECK(wrong->keys("tools").empty());
    CHECK(wrong->tables("rules") == 0);
    const auto refused = wrong->finish();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("tools must be a table") != std::string::npos);
    CHECK(refused.error().message.find("[[rules]]") != std::string::npos);
}

TEST_CASE("an empty table that is known is no unknown key") {
    auto file = ConfigFile::parse("version = 1\n[tools]\n", "f.toml");
    REQUIRE(file);
    CHECK(file->keys("tools").empty());
    CHECK(file->finish());
}
