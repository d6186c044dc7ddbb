// SPDX-License-Identifier: Apache-2.0
// Real interfaces, in a network namespace of the test's own. Needs root.
#include "host/net/links.h"

#include "base/files.h"
#include "base/subprocess.h"
#include "tests/support/catch.h"
#include "tests/support/network_namespace.h"
#include "tests/support/privilege.h"

#include <algorithm>

using namespace berth;

namespace {

constexpr const char* mac = "02:be:0a:56:00:01";

bool has_address(std::string_view interface, std::string_view ipv4, int prefix_length) {
    const auto all = net::local_subnets().value();
    return std::ranges::any_of(all, [&](const net::LocalSubnet& subnet) {
        return subnet.interface == interface && subnet.ipv4 == ipv4 &&
               subnet.prefix_length == prefix_length;
    });
}

}  // namespace

TEST_CASE("a bridge is made once, with the addresses it was given", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        for (int time = 0; time < 2; ++time) {
            if (!net::ensure_bridge("bt0", "10.86.0.1", 16, mac)) return false;
        }
        return has_address("bt0", "10.86.0.1", 16) &&
               read_file("/sys/class/net/bt0/address").value_or("") == std::string(mac) + "\n" &&
               net::links_named("bt") == std::vector<std::string>{"bt0"};
    }));
}

TEST_CASE("an interface that is no bridge is not taken for one", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        const auto refused = net::ensure_bridge("lo", "10.86.0.1", 16, mac);
        return !refused && refused.error().code == ErrorCode::already_exists &&
               !has_address("lo", "10.86.0.1", 16);
    }));
}

TEST_CASE("an interface is removed, and one that is not there is as good as removed", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        return net::ensure_bridge("bt0", "10.86.0.1", 16, mac) && net::delete_link("bt0") &&
               !net::link_exists("bt0") && net::delete_link("bt0");
    }));
}

TEST_CASE("a port is held to its address, and an address that is forgotten twice is forgotten",
          "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        const auto shown = [](std::vector<std::string> argv) {
            return run_checked({.argv = std::move(argv)}).value_or("");
        };
        if (!net::ensure_bridge("bt0", "10.86.0.1", 16, mac) ||
            !run_checked(
                {.argv = {"ip", "link", "add", "bt1", "type", "veth", "peer", "name", "in"}}) ||
            !run_checked({.argv = {"ip", "link", "set", "bt1", "master", "bt0"}}) ||
            !net::confine_link("bt1", "bt0", "02:be:0a:56:00:02", "10.86.0.2"))
            return false;
        const auto neighbours = shown({"ip", "-j", "neigh", "show", "dev", "bt0"});
        const auto ports = shown({"bridge", "-j", "fdb", "show", "dev", "bt1"});
        return neighbours.contains("02:be:0a:56:00:02") && neighbours.contains("PERMANENT") &&
               ports.contains("02:be:0a:56:00:02") && net::forget_neighbour("bt0", "10.86.0.2") &&
               net::forget_neighbour("bt0", "10.86.0.2") &&
               !shown({"ip", "-j", "neigh", "show", "dev", "bt0"}).contains("PERMANENT") &&
               read_file("/sys/class/net/bt1/brport/learning").value_or("") == "0\n" &&
               read_file("/sys/class/net/bt1/brport/isolated").value_or("") == "1\n";
    }));
}
