// SPDX-License-Identifier: Apache-2.0
#include "sentinel/route/routes_file.h"

#include "tests/support/catch.h"

#include <string>
#include <vector>

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

TEST_CASE("a route that leads back to the sentinel goes nowhere and is told", "[route]") {
    const auto own = [](const char* text) {
        return OwnAddresses({SocketAddress::parse(text).value()});
    };
    const auto address = [](const char* text) { return SocketAddress::parse(text).value(); };
    CHECK(own("192.0.2.1:443").lead_back(address("192.0.2.1:443")));
    CHECK_FALSE(own("192.0.2.1:443").lead_back(address("192.0.2.1:444")));
    CHECK_FALSE(own("192.0.2.1:443").lead_back(address("192.0.2.2:443")));
    CHECK(own("0.0.0.0:443").lead_back(address("127.0.0.9:443")));
    CHECK(own("[::]:443").lead_back(address("127.0.0.1:443")));
    CHECK(own("127.0.0.1:443").lead_back(address("0.0.0.0:443")));
    CHECK_FALSE(own("0.0.0.0:443").lead_back(address("192.0.2.1:443")));
    const auto file = RoutesFile::parse(
        "a.example 127.0.0.1:1 prod\nb.example 192.0.2.1:443 lab\nc.example 192.0.2.1:443 lab\n",
        {.own = own("192.0.2.1:443")});
    REQUIRE(file);
    CHECK(file->led_back() == std::vector<std::string>{"192.0.2.1:443 of pool \"lab\""});
    CHECK(file->list().pools[0].primary == Destination(address("127.0.0.1:1")));
    CHECK(file->list().pools[1].primary == Destination(Nowhere{}));
    CHECK(file->list().routes.size() == 3);
}

TEST_CASE("an empty file is no routes", "[route]") {
    const auto file = RoutesFile::parse("\n# none yet\n", {});
    REQUIRE(file);
    CHECK(file->list().routes.empty());
}
