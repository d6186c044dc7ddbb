// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/greeting.h"

#include "tests/sentinel/tls/hello_bytes.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::sentinel;

TEST_CASE("a header and a hello are read together, however they arrive", "[relay]") {
    const ProxyEnds ends{.client = SocketAddress::parse("192.0.2.1:1").value(),
                         .server = SocketAddress::parse("192.0.2.2:443").value()};
    const auto header = proxy_header(ends, "");
    const auto all = header + hello();
    Greeting greeting(true);
    for (std::size_t length = 0; length < all.size(); ++length) {
        REQUIRE(greeting.read(std::string_view(all).substr(0, length)) == HelloState::need_more);
    }
    REQUIRE(greeting.read(all) == HelloState::named);
    CHECK(greeting.header_bytes() == header.size());
    CHECK(greeting.ends() == ends);
    CHECK(greeting.name().text() == "ada.example");
}

TEST_CASE("an SSH banner is known by its first bytes, where those are taken", "[relay]") {
    Greeting greeting(false, true);
    for (const auto* const part : {"S", "SS", "SSH"}) {
        REQUIRE(greeting.read(part) == HelloState::need_more);
    }
    CHECK(greeting.read("SSH-2.0-x") == HelloState::not_tls);
    CHECK(greeting.is_ssh());
    const auto not_ssh = [](bool taken, std::string_view said) {
        Greeting other(false, taken);
        return other.read(said) == HelloState::not_tls && !other.is_ssh();
    };
    CHECK(not_ssh(true, "SSL"));
    CHECK(not_ssh(true, "GET / HTTP/1.1"));
    CHECK(not_ssh(false, "S"));
    CHECK(not_ssh(false, "SSH-2.0-x"));
    Greeting tls(false, true);
    CHECK(tls.read(hello()) == HelloState::named);
}

TEST_CASE("a header is there exactly where one is due", "[relay]") {
    CHECK(Greeting(true).read(hello()) == HelloState::not_tls);
    CHECK(Greeting(false).read(proxy_header({}, "") + hello()) == HelloState::not_tls);
    Greeting plain(false);
    CHECK(plain.read(hello()) == HelloState::named);
    CHECK(plain.header_bytes() == 0);
    CHECK_FALSE(plain.ends());
}
