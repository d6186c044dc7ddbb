// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/replay_log.h"

#include "mcp-server/transport/outbox.h"
#include "tests/support/catch.h"

#include <thread>

using namespace berth::mcp;
using namespace std::chrono_literals;

TEST_CASE("an event id is read back as it was written, and nothing else is one") {
    const EventId id{.stream = 3, .number = 12};
    CHECK(id.to_string() == "3-12");
    CHECK(EventId::parse("3-12")->number == 12);
    const auto wrong = GENERATE(as<std::string>(), "", "3", "-", "3-", "-12", "a-1", "3-1x",
                                "99999999999999999999-1", "3--1", " 3-1");
    CHECK_FALSE(EventId::parse(wrong));
}

TEST_CASE("a stream is replayed after the last event that was seen, and then waited for") {
    ReplayLog log;
    const auto stream = log.open();
    (void)log.add(stream, "one");
    const auto two = log.add(stream, "two");
    CHECK(log.next({.stream = stream}, 0ms, {}).event.message == "one");
    CHECK(log.next({.stream = stream, .number = 1}, 0ms, {}).event.message == "two");
    CHECK(log.next(two, 0ms, {}).how == ReplayLog::Wait::timeout);
    std::jthread later([&] { (void)log.add(stream, "three"); });
    CHECK(log.next(two, 5s, {}).event.message == "three");
    log.close(stream);
    CHECK(log.next({.stream = stream, .number = 3}, 5s, {}).how == ReplayLog::Wait::over);
    CHECK(log.next({.stream = 99}, 5s, {}).how == ReplayLog::Wait::over);
}

TEST_CASE("what is kept has a bound, and what is gone is not passed over in silence") {
    ReplayLog log;
    const auto stream = log.open();
    for (int count = 0; count < 3; ++count) {
        (void)log.add(stream, std::string(replay_bytes_max / 2, 'x'));
    }
    CHECK(log.next({.stream = stream}, 0ms, {}).how == ReplayLog::Wait::over);
    CHECK(log.next({.stream = stream, .number = 1}, 0ms, {}).how == ReplayLog::Wait::event);
    for (std::size_t count = 0; count < replay_streams_max; ++count) (void)log.open();
    CHECK_FALSE(log.knows(stream));
}

TEST_CASE("a client that does not keep up loses its stream instead of some messages") {
    Outbox box;
    for (std::size_t count = 0; count < outbox_messages_max; ++count) box.put("x");
    CHECK(box.take(0ms, {}));
    box.put("x");
    CHECK_FALSE(box.overflowed());
    box.put("x");
    CHECK(box.overflowed());
    CHECK_FALSE(box.take(0ms, {}));
}
