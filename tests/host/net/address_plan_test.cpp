// SPDX-License-Identifier: Apache-2.0
#include "host/net/address_plan.h"

#include "tests/support/catch.h"

using namespace berth;
using net::AddressPlan;
using net::PortRange;
using net::Subnet;

TEST_CASE("a subnet is read and written in its one spelling", "[net]") {
    const auto subnet = Subnet::parse("10.86.0.0/16");
    REQUIRE(subnet);
    CHECK(subnet->to_string() == "10.86.0.0/16");
    CHECK(subnet->gateway() == "10.86.0.1");
    CHECK(subnet->address(258) == "10.86.1.2");
}

TEST_CASE("what is no subnet is refused", "[net]") {
    const auto* text =
        GENERATE("", "10.86.0.0", "10.86.0.0/", "10.86.0.1/16", "10.86.0.0/7", "10.86.0.0/29",
                 "10.86.0/16", "300.0.0.0/16", "10.86.0.0/16x", "::/64");
    CAPTURE(text);
    const auto subnet = Subnet::parse(text);
    REQUIRE_FALSE(subnet);
    CHECK(subnet.error().code == ErrorCode::invalid_argument);
}

TEST_CASE("networks overlap when one lies in the other, whichever is larger", "[net]") {
    const auto subnet = Subnet::parse("10.86.0.0/16").value();
    CHECK(subnet.overlaps("10.86.3.4", 24));
    CHECK(subnet.overlaps("10.1.2.3", 8));
    CHECK(subnet.overlaps("0.0.0.0", 0));
    CHECK_FALSE(subnet.overlaps("10.87.0.1", 16));
    CHECK_FALSE(subnet.overlaps("192.0.2.1", 24));
}

TEST_CASE("the scarcest of addresses, ports and uids decides how many containers there is room for",
          "[net]") {
    const auto wide = Subnet::parse("10.0.0.0/8").value();
    const auto narrow = Subnet::parse("10.0.0.0/28").value();
    CHECK(AddressPlan(narrow, {20000, 29999}, 1'000'000).slots() == 13);
    CHECK(AddressPlan(wide, {20000, 20009}, 1'000'000).slots() == 10);
    CHECK(AddressPlan(wide, {1, 65535}, 4'294'967'294 - 3 * 65536).slots() == 3);
}

TEST_CASE("no two slots share an address, a port or a uid", "[net]") {
    const AddressPlan plan(Subnet::parse("10.0.0.0/24").value(), {20000, 20999}, 1'000'000);
    const auto last = plan.slots() - 1;
    CHECK(plan.ipv4(0) == "10.0.0.2");
    CHECK(plan.ipv4(last) == "10.0.0.254");
    CHECK(plan.ssh_port(last) == 20000 + last);
    CHECK(plan.uid_base(1) - plan.uid_base(0) == 65536);
}

TEST_CASE("a port range is two ports in order", "[net]") {
    CHECK(PortRange::parse("1-65535").value().size() == 65535);
    const auto* text = GENERATE("", "20000", "0-10", "10-9", "1-65536", "a-b", "1-2-3", "-5");
    CAPTURE(text);
    CHECK_FALSE(PortRange::parse(text));
}

TEST_CASE("a MAC address depends on the IPv4 address alone and is locally administered", "[net]") {
    CHECK(net::mac_of("10.86.0.2") == "02:be:0a:56:00:02");
    CHECK(net::mac_of("10.86.0.2") != net::mac_of("10.86.0.3"));
}
