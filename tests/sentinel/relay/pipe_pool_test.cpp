// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/pipe_pool.h"

#include "tests/support/catch.h"

#include <unistd.h>

#include <array>
#include <utility>

using berth::sentinel::Pipe;
using berth::sentinel::PipePool;

TEST_CASE("there are so many pipes, and one that is given back is lent again", "[relay]") {
    PipePool pool(2);
    Pipe one = pool.take();
    const Pipe two = pool.take();
    REQUIRE(one);
    REQUIRE(two);
    CHECK_FALSE(pool.take());
    const int output = one.output.get();
    pool.give_back(std::move(one), true);
    CHECK(pool.take().output.get() == output);
}

TEST_CASE("a pipe with bytes in it is lent to nobody", "[relay]") {
    PipePool pool(1);
    Pipe left = pool.take();
    REQUIRE(left);
    REQUIRE(::write(left.input.get(), "secret", 6) == 6);
    pool.give_back(std::move(left), false);
    const Pipe next = pool.take();
    REQUIRE(next);
    std::array<char, 6> bytes{};
    CHECK(::read(next.output.get(), bytes.data(), bytes.size()) == -1);
}
