// SPDX-License-Identifier: Apache-2.0
#include "sentinel/proxy/proxy_protocol.h"

#include "sentinel/proxy/crc32c.h"
#include "tests/support/catch.h"

#include <string>

using namespace berth;
using namespace berth::sentinel;

namespace {

ProxyEnds ends(std::string_view client, std::string_view server) {
    return {.client = SocketAddress::parse(client).value(),
            .server = SocketAddress::parse(server).value()};
}

const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string bytes(std::initializer_list<int> values) {
    std::string out;
    for (const int value : values) out += static_cast<char>(value);
    return out;
}

}  // namespace

TEST_CASE("the checksum is CRC-32C", "[proxy]") {
    CHECK(crc32c("123456789") == 0xe3069283U);
    CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aaU);  // RFC 3720 appendix B.4
}

TEST_CASE("a header names both ends, the server name and a checksum", "[proxy]") {
    const auto header = proxy_header(ends("192.0.2.1:40000", "198.51.100.7:443"), "ada.example");
    const auto expected =
        signature + bytes({0x21, 0x11, 0, 33, 192, 0, 2, 1, 198, 51, 100, 7, 156, 64, 1, 187}) +
        bytes({2, 0, 11}) + "ada.example" + bytes({3, 0, 4});
    CHECK(header.substr(0, expected.size()) == expected);
    REQUIRE(header.size() == expected.size() + 4);
    auto zeroed = header;
    zeroed.replace(expected.size(), 4, 4, '\0');
    const auto sum = crc32c(zeroed);
    CHECK(header.substr(expected.size()) ==
          bytes({static_cast<int>(sum >> 24), static_cast<int>(sum >> 16 & 0xff),
                 static_cast<int>(sum >> 8 & 0xff), static_cast<int>(sum & 0xff)}));
}

TEST_CASE("what is written is read, from the first whole byte on and not before", "[proxy]") {
    const auto told = GENERATE(ends("192.0.2.1:40000", "198.51.100.7:443"),
                               ends("[2001:db8::1]:40000", "[2001:db8::2]:443"),
                               ends("192.0.2.1:40000", "[2001:db8::2]:443"));
    const auto header = proxy_header(told, "ada.example");
    for (std::size_t length = 0; length < header.size(); ++length) {
        REQUIRE(read_proxy_header(header.substr(0, length)).state == ProxyState::need_more);
    }
    const auto read = read_proxy_header(header + "\x16\x03\x01");
    REQUIRE(read.state == ProxyState::proxied);
    CHECK(read.bytes == header.size());
    CHECK(read.ends == told);
}

TEST_CASE("a header that was damaged is not believed", "[proxy]") {
    const auto header = proxy_header(ends("192.0.2.1:40000", "198.51.100.7:443"), "ada.example");
    for (std::size_t at = 16; at < header.size(); ++at) {
        auto damaged = header;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        CAPTURE(at);
        // The sum's own type may become an unknown one, and is then no sum any more.
        if (at == header.size() - 7) continue;
        CHECK(read_proxy_header(damaged).state == ProxyState::wrong);
    }
}

TEST_CASE("a header of nobody's is skipped, and what is no header is wrong at once", "[proxy]") {
    const auto local = read_proxy_header(signature + bytes({0x20, 0, 0, 3, 1, 2, 3}) + "hello");
    CHECK(local.state == ProxyState::silent);
    CHECK(local.bytes == 19);
    CHECK(read_proxy_header(signature + bytes({0x21, 0x31, 0, 0})).state == ProxyState::silent);
    CHECK(read_proxy_header("P").state == ProxyState::wrong);
    CHECK(read_proxy_header("\x16").state == ProxyState::wrong);
    CHECK(read_proxy_header(signature + bytes({0x11, 0x11, 0, 0})).state == ProxyState::wrong);
    CHECK(read_proxy_header(signature + bytes({0x22, 0x11, 0, 0})).state == ProxyState::wrong);
    CHECK(read_proxy_header(signature + bytes({0x21, 0x11, 0, 4, 1, 2, 3, 4})).state ==
          ProxyState::wrong);
    CHECK(read_proxy_header(signature + bytes({0x21, 0x11, 0xff, 0xff})).state ==
          ProxyState::wrong);
}
