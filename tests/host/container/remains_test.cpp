// SPDX-License-Identifier: Apache-2.0
#include "host/container/remains.h"

#include "tests/support/catch.h"

#include <atomic>
#include <future>
#include <vector>

using namespace berth;
using namespace std::chrono_literals;
using container::Remains;

namespace {

store::Container row(std::string id) {
    store::Container made;
    made.id = std::move(id);
    return made;
}

}  // namespace

TEST_CASE("what cannot be removed is tried again until it is", "[remains]") {
    std::vector<int> attempts;
    Remains remains(
        [&](const store::Container&, int attempt) -> Result<> {
            attempts.push_back(attempt);
            if (attempt < 3) return fail(ErrorCode::internal, "not yet");
            return {};
        },
        1ms);
    remains.add(row("a"));
    CHECK(remains.wait_next(60s));
    CHECK(attempts == std::vector{0, 1, 2, 3});
    CHECK_FALSE(remains.wait_next(60s));  // there is none
}

TEST_CASE("one that cannot be removed holds up no other", "[remains]") {
    std::promise<void> others;
    std::atomic<int> removed = 0;
    Remains remains(
        [&](const store::Container& one, int) -> Result<> {
            if (one.id == "stuck") return fail(ErrorCode::internal, "never");
            if (++removed == 20) others.set_value();
            return {};
        },
        1h);
    for (std::size_t count = 0; count < container::removers_max; ++count) remains.add(row("stuck"));
    for (int count = 0; count < 20; ++count) remains.add(row("other"));
    CHECK(others.get_future().wait_for(60s) == std::future_status::ready);
    remains.wait_fewer(container::removers_max + 1, 60s);
    CHECK_FALSE(remains.wait_next(0ms));
}

TEST_CASE("who waits for room goes on when one is removed", "[remains]") {
    std::promise<void> go_on;
    const auto going = go_on.get_future().share();
    Remains remains([&](const store::Container&, int) -> Result<> {
        going.wait();
        return {};
    });
    remains.add(row("a"));
    auto waited = std::async(std::launch::async, [&] { return remains.wait_next(60s); });
    CHECK(waited.wait_for(10ms) == std::future_status::timeout);
    go_on.set_value();
    remains.wait_fewer(1, 60s);
    (void)waited.get();  // it may have begun to wait only now
    std::stop_source stopping;
    stopping.request_stop();
    CHECK_FALSE(remains.wait_next(60s, stopping.get_token()));
}
