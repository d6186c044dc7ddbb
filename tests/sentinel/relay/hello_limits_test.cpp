// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/hello_limits.h"

#include "tests/support/catch.h"

#include <memory>
#include <vector>

using namespace berth;
using namespace berth::sentinel;

namespace {

SocketAddress from(const char* address) {
    return SocketAddress::parse(address).value();
}

RelayOptions bounds(std::size_t in_all, std::size_t per_source, std::size_t bytes = 1000,
                    std::size_t bytes_per_source = 100'000) {
    RelayOptions options;
    options.hellos_max = in_all;
    options.hellos_per_source_max = per_source;
    options.hello_bytes_in_all_max = bytes;
    options.hello_bytes_per_source_max = bytes_per_source;
    return options;
}

}  // namespace

TEST_CASE("a source is an IPv4 /24 or an IPv6 /56", "[relay]") {
    const auto limits = std::make_unique<HelloLimits>(bounds(100, 1));
    const auto full = [&](const char* first, const char* second) {
        HelloLimits::Place one, two;
        REQUIRE(limits->enter(from(first), one) == HelloLimits::Refused::no);
        return limits->enter(from(second), two) == HelloLimits::Refused::source_full;
    };
    CHECK(full("192.0.2.1:1", "192.0.2.255:2"));
    CHECK_FALSE(full("192.0.2.1:1", "192.0.3.1:1"));
    CHECK(full("[2001:db8:0:1::1]:1", "[2001:db8:0:ff::1]:1"));
    CHECK_FALSE(full("[2001:db8:0:1::1]:1", "[2001:db8:0:100::1]:1"));
}

TEST_CASE("a place that is given back is another's, in all and of its source", "[relay]") {
    const auto limits = std::make_unique<HelloLimits>(bounds(2, 2));
    std::vector<HelloLimits::Place> places(2);
    REQUIRE(limits->enter(from("192.0.2.1:1"), places[0]) == HelloLimits::Refused::no);
    REQUIRE(limits->enter(from("192.0.2.1:1"), places[1]) == HelloLimits::Refused::no);
    HelloLimits::Place more;
    CHECK(limits->enter(from("192.0.2.1:1"), more) == HelloLimits::Refused::source_full);
    CHECK(limits->enter(from("198.51.100.1:1"), more) == HelloLimits::Refused::all_full);
    places.pop_back();
    CHECK(limits->waiting() == 1);
    CHECK(limits->enter(from("192.0.2.1:1"), more) == HelloLimits::Refused::no);
    places.clear();
    more = {};
    CHECK(limits->waiting() == 0);
}

TEST_CASE("the bytes of all that wait are bounded together", "[relay]") {
    const auto limits = std::make_unique<HelloLimits>(bounds(10, 10, 1000));
    HelloLimits::Place one, two;
    REQUIRE(limits->enter(from("192.0.2.1:1"), one) == HelloLimits::Refused::no);
    REQUIRE(limits->enter(from("192.0.2.1:1"), two) == HelloLimits::Refused::no);
    using enum HelloLimits::Refused;
    CHECK(one.grow(600) == no);
    CHECK(two.grow(401) == all_full);
    CHECK(two.grow(400) == no);
    one = {};
    CHECK(two.grow(600) == no);
    CHECK(HelloLimits::Place().grow(1) == source_full);
}

TEST_CASE("a source has its share of the bytes, and another has what is left", "[relay]") {
    const auto limits = std::make_unique<HelloLimits>(bounds(10, 10, 1000, 600));
    using enum HelloLimits::Refused;
    HelloLimits::Place one, neighbour, other;
    REQUIRE(limits->enter(from("192.0.2.1:1"), one) == no);
    REQUIRE(limits->enter(from("192.0.2.2:1"), neighbour) == no);
    REQUIRE(limits->enter(from("198.51.100.1:1"), other) == no);
    CHECK(one.grow(500) == no);
    CHECK(neighbour.grow(101) == source_full);
    CHECK(neighbour.grow(101, HelloLimits::Room::even_so) == source_full);
    CHECK(other.grow(500) == no);
    one = {};
    CHECK(neighbour.grow(500) == no);
}

TEST_CASE("one may have more than there is where all others are another loop's", "[relay]") {
    const auto limits = std::make_unique<HelloLimits>(bounds(1, 10, 1000));
    using enum HelloLimits::Refused;
    HelloLimits::Place one, two;
    REQUIRE(limits->enter(from("192.0.2.1:1"), one) == no);
    REQUIRE(one.grow(1000) == no);
    CHECK(limits->enter(from("198.51.100.1:1"), two) == all_full);
    REQUIRE(limits->enter(from("198.51.100.1:1"), two, HelloLimits::Room::even_so) == no);
    CHECK(two.grow(10) == all_full);
    CHECK(two.grow(10, HelloLimits::Room::even_so) == no);
    two = {};
    CHECK(limits->waiting() == 1);
}
