// SPDX-License-Identifier: Apache-2.0
#include "host/container/schedule.h"

#include "tests/support/catch.h"

using namespace berth;
using namespace berth::container::schedule;
using namespace std::chrono_literals;

namespace {

const Time now = to_time(1'800'000'000'000);

store::Container ready() {
    store::Container row;
    row.phase = store::Phase::ready;
    row.wanted_running = true;
    return row;
}

std::int64_t ms(Time time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

TEST_CASE("restarts wait twice as long each time, up to five minutes, until one lasts",
          "[schedule]") {
    Backoff backoff;
    for (const auto seconds : {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}) {
        CHECK(backoff.next(1s) == std::chrono::seconds(seconds));
    }
    CHECK(backoff.next(9min) == 300s);
    CHECK(backoff.next(10min) == 1s);
    CHECK(backoff.next(1s) == 2s);
    for (int count = 0; count < 1000; ++count) CHECK(backoff.next(0s) <= 300s);
}

TEST_CASE("what is to run and does not is started, and nothing else", "[schedule]") {
    auto row = ready();
    CHECK(next_for(row, false, now, now).act == Act::start);
    CHECK(next_for(row, true, now, now).act == Act::none);
    row.wanted_running = false;
    CHECK(next_for(row, false, now, now).act == Act::none);
    row.wanted_running = true;
    row.phase = store::Phase::creating;
    CHECK(next_for(row, false, now, now).act == Act::none);
}

TEST_CASE("what runs although it is to be stopped is stopped", "[schedule]") {
    auto row = ready();
    row.wanted_running = false;
    CHECK(next_for(row, true, now, now).act == Act::stop);
    row.life.idle_stop_seconds = 60;
    CHECK(next_for(row, true, now, now).act == Act::stop);
}

TEST_CASE("a container goes when its time is over, and is looked at then", "[schedule]") {
    auto row = ready();
    row.life.expires_at = ms(now + 90s);
    CHECK(next_for(row, true, now, now).act == Act::none);
    CHECK(next_for(row, true, now, now).look_in == 90s);
    CHECK(next_for(row, true, now, now + 90s).act == Act::remove);
    CHECK(next_for(row, false, now, now + 1h).act == Act::remove);
    row.life.is_protected = true;
    CHECK(next_for(row, true, now, now + 1h).act == Act::none);
    CHECK(next_for(row, true, now, now).look_in == never);
}

TEST_CASE("one that goes when stopped stays until it has been started", "[schedule]") {
    auto row = ready();
    row.wanted_running = false;
    row.life.after_stop = store::AfterStop::remove;
    CHECK(next_for(row, false, now, now).act == Act::none);
    row.life.after_stop = store::AfterStop::armed;
    CHECK(next_for(row, false, now, now).act == Act::remove);
    row.wanted_running = true;  // it ended by itself, and is to come back
    CHECK(next_for(row, false, now, now).act == Act::start);
}

TEST_CASE("an unused container is stopped when its idle time has passed", "[schedule]") {
    auto row = ready();
    CHECK(next_for(row, true, now - 1000h, now).look_in == never);
    row.life.idle_stop_seconds = 600;
    CHECK(next_for(row, true, now, now).act == Act::none);
    CHECK(next_for(row, true, now, now).look_in == 1min);
    CHECK(next_for(row, true, now - 590s, now).look_in == 10s);
    CHECK(next_for(row, true, now - 600s, now).act == Act::stop);
    CHECK(next_for(row, false, now - 600s, now).act == Act::start);
}
