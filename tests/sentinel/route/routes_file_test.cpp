// SPDX-License-Identifier: Apache-2.0
#include "sentinel/route/routes_file.h"

#include "tests/support/catch.h"

#include <string>

using namespace berth;
using namespace berth::sentinel;

TEST_CASE("a file of routes is read line by line", "[route]") {
    const auto file = RoutesFile::parse(
        "# our pools\n"
        "Ada.Example.  127.0.0.1:8443\tprod\r\n"
        "\n"
        "*.Lab.example [::1]:443 lab   # the lab\n"
        "bare.example 127.0.0.1:9443\n"
        "same.example 127.0.0.1:8443 prod",
        {.proxy_protocol = {"lab", "127.0.0.1:9443"}});
    REQUIRE(file);
    const RouteList& list = file->list();
    REQUIRE(list.routes.size() == 4);
    CHECK(list.routes[0].key == "ada.example");
    CHECK(list.routes[1].key == ".lab.example");
    CHECK(list.routes[2].key == "bare.example");
    CHECK(list.routes[3].pool == list.routes[0].pool);
    REQUIRE(list.pools.size() == 3);
    CHECK(list.pools[0] ==
          Pool{.name = "prod", .primary = SocketAddress::parse("127.0.0.1:8443").value()});
    CHECK(list.pools[1] == Pool{.name = "lab",
                                .primary = SocketAddress::parse("[::1]:443").value(),
                                .proxy_protocol = true});
    CHECK(list.pools[2].name == "127.0.0.1:9443");
    CHECK(list.pools[2].proxy_protocol);
}

TEST_CASE("a line that is wrong is named by its number, and says what to write", "[route]") {
    const auto& [line, part] = GENERATE(table<std::string, std::string>({
        {"ada.example", "two or three words"},
        {"ada.example 127.0.0.1:1 a b", "two or three words"},
        {"1.2.3.4 127.0.0.1:1", "no name of a host"},
        {"* 127.0.0.1:1", "no name of a host"},
        {"ada.example 127.0.0.1", "no address with a port"},
        {"ada.example localhost:1", "no address with a port"},
        {"ada.example 127.0.0.1:0", "port 0"},
        {"ada.example 127.0.0.1:65536", "no address with a port"},
        {"ada.example 127.0.0.1:1 Not_A_Pool", "no name of a pool"},
        {"ada.example 127.0.0.1:2 prod", "another address"},
    }));
    CAPTURE(line);
    const auto file = RoutesFile::parse("b.example 127.0.0.1:1 prod\n\n" + line + "\n", {});
    REQUIRE_FALSE(file);
    CHECK(file.error().code == ErrorCode::invalid_argument);
    CHECK(file.error().message.find("line 3: ") == 0);
    CHECK(file.error().message.find(part) != std::string::npos);
}

TEST_CASE("an empty file is no routes", "[route]") {
    const auto file = RoutesFile::parse("\n# none yet\n", {});
    REQUIRE(file);
    CHECK(file->list().routes.empty());
}
