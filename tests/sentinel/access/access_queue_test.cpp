// SPDX-License-Identifier: Apache-2.0
#include "sentinel/access/access_queue.h"

#include "tests/support/catch.h"

#include <array>
#include <thread>
#include <vector>

using namespace berth::sentinel;

namespace {

bool put(AccessQueue& queue, std::uint64_t number) {
    Access access{.bytes_from_client = number};
    return queue.put(access);
}

}  // namespace

TEST_CASE("a queue gives back what was put, in that order, and takes no more than it has room for",
          "[access]") {
    AccessQueue queue(4);
    Access access;
    CHECK(queue.empty());
    CHECK_FALSE(queue.take(access));
    for (std::uint64_t round = 0; round < 5; ++round) {
        for (std::uint64_t number = 0; number < 4; ++number) CHECK(put(queue, number));
        CHECK_FALSE(put(queue, 4));
        for (std::uint64_t number = 0; number < 4; ++number) {
            REQUIRE(queue.take(access));
            CHECK(access.bytes_from_client == number);
        }
        CHECK(queue.empty());
    }
}

TEST_CASE("what many threads put is taken once, and each thread's in its order", "[access]") {
    constexpr std::uint64_t each = 20'000;
    constexpr std::uint16_t threads = 3;
    AccessQueue queue(64);
    std::vector<std::thread> putting;
    for (std::uint16_t thread = 0; thread < threads; ++thread) {
        putting.emplace_back([&queue, thread] {
            for (std::uint64_t number = 0; number < each;) {
                Access access{.pool = std::string(40, 'p'),
                              .bytes_from_client = number,
                              .bytes_to_client = thread};
                if (queue.put(access)) {
                    ++number;
                } else {
                    std::this_thread::yield();
                }
            }
        });
    }
    std::array<std::uint64_t, threads> next = {};
    bool in_order = true;
    for (std::uint64_t taken = 0; taken < each * threads;) {
        Access access;
        if (!queue.take(access)) {
            std::this_thread::yield();
            continue;
        }
        ++taken;
        in_order = in_order && access.pool.size() == 40 &&
                   access.bytes_from_client == next.at(access.bytes_to_client)++;
    }
    for (auto& thread : putting) thread.join();
    CHECK(in_order);
    CHECK(queue.empty());
}
