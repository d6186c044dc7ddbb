// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/pipe_pool.h"

#include "tests/support/catch.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

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

// A user of its own, so that nobody else's pipes count.
TEST_CASE("pipes are made again when the user's budget is free again", "[relay]") {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        constexpr uid_t nobody_else = 4'000'000'017;
        if (::geteuid() == 0 && ::setresuid(nobody_else, nobody_else, nobody_else) != 0) ::_exit(3);
        PipePool pool(100'000), later(1);
        std::vector<Pipe> all;
        while (Pipe pipe = pool.take()) all.push_back(std::move(pipe));
        if (all.size() < 4) ::_exit(3);  // there are others of this user
        if (later.take()) ::_exit(1);
        all.clear();
        std::size_t tries = 0;
        while (tries <= PipePool::takes_between_tries && !later.take()) ++tries;
        ::_exit(tries == PipePool::takes_between_tries ? 0 : 2);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK((WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3));
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
