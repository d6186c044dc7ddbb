// SPDX-License-Identifier: Apache-2.0
#include "tunnel/stream_opening.h"

#include "tests/support/catch.h"

#include <string>

using namespace berth;
using namespace berth::tunnel;

TEST_CASE("a stream's opening is read as it was written, however it is cut", "[tunnel]") {
    const StreamOpening opening{
        .port = 443,
        .source = SocketAddress::parse(GENERATE("192.0.2.1:1000", "[2001:db8::1]:65535")).value(),
        .name = GENERATE("", "lab.test")};
    const std::string bytes = encode(opening);
    CHECK(bytes.size() <= opening_bytes_max);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        REQUIRE(read_opening(bytes.substr(0, length)).state == OpeningState::need_more);
    }
    const OpeningRead read = read_opening(bytes + "behind");
    CHECK(read.state == OpeningState::read);
    CHECK(read.opening == opening);
    CHECK(read.bytes == bytes.size());
}

TEST_CASE("what is no opening is refused without waiting for more", "[tunnel]") {
    const std::string good = encode(StreamOpening{.port = 443});
    std::string bad = good;
    SECTION("a purpose that is not known") {
        bad[2] = 9;
    }
    SECTION("no port") {
        bad[3] = bad[4] = 0;
    }
    SECTION("an address of 5 bytes") {
        bad[5] = 5;
    }
    SECTION("something behind the name") {
        bad[1] = static_cast<char>(bad[1] + 1), bad += 'x';
    }
    SECTION("a length beyond any") {
        bad[0] = 2;
    }
    CHECK(read_opening(bad).state == OpeningState::wrong);
}
