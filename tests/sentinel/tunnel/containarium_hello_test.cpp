// SPDX-License-Identifier: Apache-2.0
#include "sentinel/tunnel/containarium_hello.h"

#include "tests/support/catch.h"

using namespace berth;
using namespace berth::sentinel;

TEST_CASE("a hello of Containarium's is one line, whatever is behind it", "[tunnel]") {
    const std::string line =
        R"({"token":"t","spot_id":"host-a","ports":[22,443],"pool":"lab","public_hostname":"lab.test",)"
        R"("public_aliases":["api.lab.test"],"public_port":443,"public_base_domains":["apps.test"],"later":{}})"
        "\n";
    for (std::size_t length = 0; length < line.size(); ++length) {
        const auto part = read_containarium_hello(std::string_view(line).substr(0, length));
        REQUIRE(part);
        REQUIRE_FALSE(*part);
    }
    const auto read = read_containarium_hello(line + std::string("\0\2", 2)).value().value();
    CHECK(read.bytes == line.size());
    CHECK(read.value == tunnel::Hello{.token = "t",
                                      .pool = "lab",
                                      .host = "host-a",
                                      .ports = {22, 443},
                                      .port = 443,
                                      .hostname = "lab.test",
                                      .aliases = {"api.lab.test"},
                                      .base_domains = {"apps.test"}});
}

TEST_CASE("what is wrong is said in the order and the words of the original", "[tunnel]") {
    const auto [line, words] = GENERATE(table<std::string, std::string>(
        {{"{}", "spot_id is required"},
         {R"({"spot_id":"a"})", "at least one port is required"},
         {R"({"spot_id":"a","ports":[1],"public_hostname":"x"})",
          "public_port is required when public_hostname is set"},
         {R"({"spot_id":"a","ports":[1],"public_hostname":"x","public_port":1})",
          "pool is required when public_hostname is set"}}));
    const auto read = read_containarium_hello(line + "\n");
    REQUIRE_FALSE(read);
    CHECK(containarium_answer(read.error()) == R"({"ok":false,"error":")" + words + "\"}\n");
}

TEST_CASE("a hello without an end is waited for no longer than it may be long", "[tunnel]") {
    CHECK(read_containarium_hello(std::string(containarium_hello_bytes_max - 1, ' ')));
    CHECK_FALSE(read_containarium_hello(std::string(containarium_hello_bytes_max, ' ')));
    CHECK_FALSE(read_containarium_hello(std::string(containarium_hello_bytes_max, ' ') + "\n"));
}

TEST_CASE("answers are as Go's encoder writes them", "[tunnel]") {
    CHECK(containarium_answer(std::nullopt) == "{\"ok\":true,\"assigned_ip\":\"127.0.0.2\"}\n");
    CHECK(containarium_answer(make_error(ErrorCode::denied, "<a> & \"b\"")) ==
          "{\"ok\":false,\"error\":\"\\u003ca\\u003e \\u0026 \\\"b\\\"\"}\n");
}
