// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/config/config.h"

#include "mcp-server/config/mcp_config.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

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

TEST_CASE("berth-mcp takes its file, and its flags before that") {
    const TemporaryDirectory directory;
    directory.write("mcp.toml",
                    "version = 1\nlisten = '[::1]:1'\nsocket = '/a'\n"
                    "allowed_hosts = ['box']\n");
    const auto config = load_mcp_config({.config = directory.path() / "mcp.toml", .socket = "/b"});
    REQUIRE(config);
    CHECK(config->listen.address == "::1");
    CHECK(config->listen.port == 1);
    CHECK(config->socket == "/b");
    CHECK(config->log_level == "info");
    CHECK(config->allowed_hosts == std::vector<std::string>{"box"});
    CHECK_FALSE(load_mcp_config({.config = directory.path() / "absent.toml"}));
    CHECK_FALSE(load_mcp_config({.config = directory.path() / "mcp.toml", .log_level = "loud"}));
}

TEST_CASE("berth-mcp listens on loopback only, and says why") {
    const TemporaryDirectory directory;
    directory.write("mcp.toml", "version = 1\n");
    const auto [listen, fine] = GENERATE(table<std::string, bool>({{"127.0.0.1:0", true},
                                                                   {"127.1.2.3:80", true},
                                                                   {"localhost:80", true},
                                                                   {"[::1]:80", true},
                                                                   {"0.0.0.0:80", false},
                                                                   {"10.0.0.1:80", false},
                                                                   {"[::]:80", false},
                                                                   {"example.com:80", false},
                                                                   {"127.0.0.1", false},
                                                                   {"127.0.0.1:", false},
                                                                   {"127.0.0.1:65536", false},
                                                                   {":80", false}}));
    CAPTURE(listen);
    const auto config =
        load_mcp_config({.config = directory.path() / "mcp.toml", .listen = listen});
    CHECK(config.has_value() == fine);
    if (listen == "0.0.0.0:80") {
        CHECK(config.error().message.find("no authentication") != std::string::npos);
    }
}
