// SPDX-License-Identifier: Apache-2.0
#include "tunnel/carry/backoff.h"

#include "tests/support/catch.h"

#include <set>
#include <vector>

using namespace berth::tunnel;
using namespace std::chrono_literals;

namespace {

void check_around(std::chrono::milliseconds wait, std::chrono::milliseconds due) {
    CAPTURE(due.count());
    CHECK(wait >= due / 2);
    CHECK(wait <= due * 3 / 2);
}

}  // namespace

TEST_CASE("waits double up to a bound, which is longer for who was refused", "[backoff]") {
    Backoff unreachable(1), refused(1);
    for (const auto due : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms, 1000ms}) {
        check_around(unreachable.next(false), due);
    }
    for (const auto due :
         {100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 12800ms, 25600ms, 30000ms}) {
        check_around(refused.next(true), due);
    }
    for (int turn = 0; turn < 1000; ++turn) check_around(refused.next(true), 30000ms);
    // What was refused is simply not there next time.
    check_around(refused.next(false), 1000ms);
}

TEST_CASE("waits are spread over half of them either way, and differ by seed", "[backoff]") {
    std::set<std::int64_t> waits;
    std::chrono::milliseconds least{1'000'000}, most{0};
    for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
        Backoff backoff(seed * 7919);
        const auto wait = backoff.next(false);
        check_around(wait, 100ms);
        waits.insert(wait.count());
        least = std::min(least, wait);
        most = std::max(most, wait);
    }
    CHECK(waits.size() > 80);
    CHECK(least < 60ms);
    CHECK(most > 140ms);
    Backoff one(5), same(5);
    for (int turn = 0; turn < 20; ++turn) CHECK(one.next(true) == same.next(true));
}

TEST_CASE("waits begin anew when it went well", "[backoff]") {
    Backoff backoff(1);
    for (int turn = 0; turn < 30; ++turn) (void)backoff.next(true);
    backoff.reset();
    check_around(backoff.next(true), 100ms);
    check_around(backoff.next(true), 200ms);
}
