// SPDX-License-Identifier: Apache-2.0
#include "base/socket_address.h"

#include "tests/support/catch.h"

#include <string>

using berth::ErrorCode;
using berth::IpNetwork;
using berth::KernelAddress;
using berth::SocketAddress;

TEST_CASE("an address is read, written and given to the kernel as the same", "[base]") {
    const auto* text = GENERATE("0.0.0.0:0", "192.0.2.1:443", "[::]:443", "[2001:db8::1]:65535");
    const auto address = SocketAddress::parse(text);
    REQUIRE(address);
    CHECK(address->to_string() == text);
    CHECK(SocketAddress::of(address->to_kernel()) == *address);
}

TEST_CASE("an IPv4 address mapped into IPv6 is the IPv4 address", "[base]") {
    CHECK(SocketAddress::parse("[::ffff:192.0.2.1]:443")->to_string() == "192.0.2.1:443");
}

TEST_CASE("what is no address with a port is refused", "[base]") {
    const auto* text =
        GENERATE("", ":", "443", "192.0.2.1", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:65536",
                 "192.0.2.1:+1", "192.0.2:443", "::1:443", "[::1]", "[192.0.2.1]:443",
                 "localhost:443", "[::1%lo]:443", " 192.0.2.1:443");
    CAPTURE(text);
    const auto address = SocketAddress::parse(text);
    REQUIRE_FALSE(address);
    CHECK(address.error().code == ErrorCode::invalid_argument);
}

TEST_CASE("another family is no address", "[base]") {
    KernelAddress address;
    address.storage.ss_family = AF_UNIX;
    CHECK_FALSE(SocketAddress::of(address));
}

TEST_CASE("a network holds what begins with its bits", "[base]") {
    const auto holds = [](const char* network, const char* address) {
        return IpNetwork::parse(network).value().contains(SocketAddress::parse(address).value());
    };
    CHECK(holds("192.0.2.0/24", "192.0.2.255:1"));
    CHECK_FALSE(holds("192.0.2.0/24", "192.0.3.0:1"));
    CHECK(holds("192.0.2.128/25", "192.0.2.129:1"));
    CHECK_FALSE(holds("192.0.2.128/25", "192.0.2.127:1"));
    CHECK(holds("0.0.0.0/0", "203.0.113.1:1"));
    CHECK_FALSE(holds("0.0.0.0/0", "[2001:db8::1]:1"));
    CHECK(holds("192.0.2.1/32", "192.0.2.1:1"));
    CHECK(holds("2001:db8::/33", "[2001:db8:7fff::]:1"));
    CHECK_FALSE(holds("2001:db8::/33", "[2001:db8:8000::]:1"));
}

TEST_CASE("what is no network is refused", "[base]") {
    const auto* text = GENERATE("", "/", "192.0.2.0", "192.0.2.0/", "192.0.2.0/33", "192.0.2.1/24",
                                "192.0.2.0/-1", "::/129", "2001:db8::1/64", "x/8");
    CAPTURE(text);
    CHECK_FALSE(IpNetwork::parse(text));
}
