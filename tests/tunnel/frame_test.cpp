// SPDX-License-Identifier: Apache-2.0
#include "tunnel/frame.h"

#include "tests/support/catch.h"

#include <string>

using namespace berth::tunnel;

namespace {

std::string written(const FrameHeader& header) {
    std::string out;
    append_frame_header(out, header);
    return out;
}

}  // namespace

TEST_CASE("a frame's header is twelve bytes, big-endian, and reads back as it was", "[tunnel]") {
    const FrameHeader header{.kind = FrameKind::window,
                             .flags = frame_flag::accept | frame_flag::end,
                             .stream = 0x01020304,
                             .length = 0xfffefdfc};
    CHECK(written(header) == std::string("\x00\x01\x00\x06\x01\x02\x03\x04\xff\xfe\xfd\xfc", 12));
    CHECK(read_frame_header(written(header)) == header);
}

TEST_CASE("what is no frame's header is not read", "[tunnel]") {
    const std::string good = written({.stream = 1, .length = 5});
    REQUIRE(read_frame_header(good));

    SECTION("another version") {
        auto bad = good;
        bad[0] = 1;
        CHECK_FALSE(read_frame_header(bad));
    }
    SECTION("an unknown kind") {
        auto bad = good;
        bad[1] = 4;
        CHECK_FALSE(read_frame_header(bad));
    }
    SECTION("an unknown flag") {
        auto bad = good;
        bad[3] = 16;
        CHECK_FALSE(read_frame_header(bad));
    }
    SECTION("data of no stream, and a ping of one") {
        CHECK_FALSE(read_frame_header(written({.kind = FrameKind::data, .stream = 0})));
        CHECK_FALSE(read_frame_header(written({.kind = FrameKind::ping, .stream = 1})));
    }
    SECTION("a part of one") {
        CHECK_FALSE(read_frame_header(good.substr(0, 11)));
    }
}
