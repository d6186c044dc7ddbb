// SPDX-License-Identifier: Apache-2.0
#include "sentinel/tls/server_name.h"

#include "tests/support/catch.h"

#include <string>

using berth::sentinel::ServerName;

TEST_CASE("a name has one spelling", "[tls]") {
    CHECK(ServerName::parse("Ada.EXAMPLE.")->text() == "ada.example");
    CHECK(ServerName::parse("_acme-challenge.x--y.ada")->text() == "_acme-challenge.x--y.ada");
    CHECK(ServerName::parse("localhost")->text() == "localhost");
    CHECK(ServerName::parse("1.2.3.4.example")->text() == "1.2.3.4.example");
}

TEST_CASE("what is no DNS name is refused", "[tls]") {
    const std::string text = GENERATE(as<std::string>(), "", ".", "..", "a..b", ".a", "a..", "*.a",
                                      "a b", "a/b", "a:443", "::1", "[::1]", "1.2.3.4", "127.1",
                                      "0x7f.0x1", "017700000001", "a.0x7F", "a.\xc3\xa4", "a\n");
    CAPTURE(text);
    CHECK_FALSE(ServerName::parse(text));
    CHECK_FALSE(ServerName::parse({"a\0b", 3}));
}

TEST_CASE("labels have 63 bytes at most, and names 253", "[tls]") {
    const std::string label(63, 'a');
    CHECK(ServerName::parse(label + ".example"));
    CHECK_FALSE(ServerName::parse(label + "a.example"));
    const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
    REQUIRE(longest.size() == 253);
    CHECK(ServerName::parse(longest)->text() == longest);
    CHECK(ServerName::parse(longest + "."));
    CHECK_FALSE(ServerName::parse(longest + "a"));
    CHECK_FALSE(ServerName::parse(longest + ".."));
}
