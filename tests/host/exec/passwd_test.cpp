// SPDX-License-Identifier: Apache-2.0
// These files belong to whoever is root inside a container, so they may hold anything.
#include "host/agent/passwd.h"

#include "tests/support/catch.h"

#include <string>

using berth::agent::find_user;
using berth::agent::User;

namespace {

constexpr const char* passwd =
    "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1001:Ada,,,:/home/ada:/bin/sh\n";
constexpr const char* group = "root:x:0:\nsudo:x:27:bob,ada\nada:x:1001:ada\nadm:x:4:adam\n";

}  // namespace

TEST_CASE("a user is found with home, shell and groups", "[exec]") {
    User user{};
    REQUIRE(find_user(passwd, group, "ada", user));
    CHECK(user.uid == 1000);
    CHECK(user.gid == 1001);
    CHECK(std::string(user.home) == "/home/ada");
    CHECK(std::string(user.shell) == "/bin/sh");
    REQUIRE(user.group_count == 2);
    CHECK(user.groups[0] == 1001);
    CHECK(user.groups[1] == 27);
}

TEST_CASE("a name that only begins like a user's is not found", "[exec]") {
    User user{};
    const auto* name = GENERATE("ad", "adam", "", "ada:x", "ada\nroot");
    CHECK_FALSE(find_user(passwd, group, name, user));
}

TEST_CASE("a malformed entry is refused and read past no end", "[exec]") {
    User user{};
    const auto* text = GENERATE("ada", "ada:", "ada:x:", "ada:x:1000", "ada:x:-1:0::/:/bin/sh",
                                "ada:x:4294967295:0::/:/bin/sh", "ada:x:99999999999:0::/:/bin/sh",
                                "ada:x:0x10:0::/:/bin/sh", "ada:x::0::/:/bin/sh");
    CAPTURE(text);
    CHECK_FALSE(find_user(text, "", "ada", user));
}

TEST_CASE("a home that is too long is refused, and more groups than there is room for are left out",
          "[exec]") {
    User user{};
    CHECK_FALSE(find_user(("ada:x:1:1::/" + std::string(2000, 'x') + ":/bin/sh\n").c_str(), "",
                          "ada", user));
    std::string many;
    for (int gid = 100; gid < 300; ++gid) many += "g:x:" + std::to_string(gid) + ":ada\n";
    REQUIRE(find_user(passwd, many.c_str(), "ada", user));
    CHECK(user.group_count == berth::agent::groups_max);
}
