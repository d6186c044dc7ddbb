// SPDX-License-Identifier: Apache-2.0
// Configuration as the real ssh reads it.
#include "host/ssh/client_config.h"

#include "tests/host/ssh/openssh.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <filesystem>
#include <sstream>

using namespace berth;
using namespace berth::ssh;

namespace {

const std::vector<Login> logins{
    {.container = "ada", .id = "0123456789", .port = 22001, .host_key = "ssh-ed25519 AAAA"},
    {.container = "bob", .id = "abcdef0123", .port = 22002, .host_key = "ssh-ed25519 BBBB"},
};

/// The line of `ssh -G` that starts with `option`, for a login by `name`.
std::string option_of(const std::string& config, const std::string& name,
                      const std::string& option) {
    const TemporaryDirectory directory;
    directory.write("config", config);
    std::istringstream lines(
        openssh({"ssh", "-G", "-F", (directory.path() / "config").string(), name}));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(option + " ")) return line.substr(option.size() + 1);
    }
    return "";
}

}  // namespace

TEST_CASE("ssh reads each container's entry, and leaves other hosts alone") {
    const auto config = client_config(logins, "192.0.2.7", "/home/a b/known_hosts");
    CHECK(option_of(config, "ada", "hostname") == "192.0.2.7");
    CHECK(option_of(config, "ada", "port") == "22001");
    CHECK(option_of(config, "bob", "port") == "22002");
    CHECK(option_of(config, "ada", "user") == "root");
    CHECK(option_of(config, "ada", "hostkeyalias") == "berth-0123456789");
    CHECK(option_of(config, "ada", "userknownhostsfile").contains("/home/a b/known_hosts"));
    CHECK(option_of(config, "ada", "stricthostkeychecking") == "true");
    CHECK(option_of(config, "ada", "kexalgorithms").starts_with("curve25519-sha256,"));
    CHECK(option_of(config, "ada", "identitiesonly") == "no");
    CHECK(option_of(config, "eve", "port") == "22");
    CHECK(option_of(config, "eve", "hostkeyalias").empty());
}

TEST_CASE("ssh reads an IPv6 address as a host") {
    CHECK(option_of(client_config(logins, "2001:db8::1", "/k"), "bob", "hostname") ==
          "2001:db8::1");
}

TEST_CASE("a host key is found under the container's alias, whatever its address and port") {
    const TemporaryDirectory directory;
    directory.write(
        "known_hosts",
        known_hosts({{.container = "ada",
                      .id = "0123456789",
                      .port = 22001,
                      .host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKC"
                                  "wwNDg8QERITFBUWFxgZGhscHR4f"}}));
    const auto found =
        openssh({"ssh-keygen", "-F", "berth-0123456789", "-f", directory.path() / "known_hosts"});
    CHECK(found.contains("line 1"));
    CHECK(found.contains("AAAAC3NzaC1lZDI1NTE5"));
}

TEST_CASE("no login gives no text") {
    CHECK(client_config({}, "localhost", "/k").empty());
    CHECK(known_hosts({}).empty());
}

TEST_CASE("a host is a name or an address that cannot end its line or pass for an option") {
    const std::string good = GENERATE("localhost", "127.0.0.1", "2001:db8::1", "A-1.Example");
    CHECK(checked_host(good) == good);
    const std::string bad = GENERATE("", "a\nProxyCommand x", "-oProxyCommand=x", "a b", "a;b",
                                     "%h", "${HOME}", "a\"b", "a#b", "h\xc3\xb6st");
    CAPTURE(bad);
    const auto refused = checked_host(bad);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::invalid_argument);
    CHECK(refused.error().field == "/host");
}

TEST_CASE("a host has at most 253 characters") {
    CHECK(checked_host(std::string(253, 'a')));
    CHECK_FALSE(checked_host(std::string(254, 'a')));
}
