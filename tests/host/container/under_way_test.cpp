// SPDX-License-Identifier: Apache-2.0
#include "host/container/under_way.h"

#include "tests/support/catch.h"

#include <future>
#include <optional>

using berth::container::UnderWay;
using namespace std::chrono_literals;

TEST_CASE("who waits until none is under way goes on when the last has ended", "[under_way]") {
    UnderWay creates;
    CHECK(creates.wait_none({}, 0ms));
    std::optional<UnderWay::One> first(creates), second(creates);
    CHECK_FALSE(creates.wait_none({}, 0ms));
    auto waited = std::async(std::launch::async, [&] { return creates.wait_none({}, 60s); });
    first.reset();
    CHECK_FALSE(creates.wait_none({}, 0ms));
    second.reset();
    CHECK(waited.get());
}

TEST_CASE("who waits until none is under way may be told to end", "[under_way]") {
    UnderWay creates;
    const UnderWay::One one(creates);
    std::stop_source stopping;
    auto waited = std::async(std::launch::async,
                             [&] { return creates.wait_none(stopping.get_token(), 60s); });
    stopping.request_stop();
    CHECK_FALSE(waited.get());
}

TEST_CASE("who waits until none is under way lets the last one's caller use it first",
          "[under_way]") {
    UnderWay creates(1h);
    {
        const UnderWay::One one(creates);
    }
    CHECK_FALSE(creates.wait_none({}, 10ms));
    std::stop_source stopping;
    stopping.request_stop();
    CHECK_FALSE(creates.wait_none(stopping.get_token(), 60s));
}
