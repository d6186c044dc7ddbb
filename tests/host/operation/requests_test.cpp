// SPDX-License-Identifier: Apache-2.0
// Calls that are to happen once.
#include "tests/host/operation/desk.h"

using namespace berth;
using namespace berth::operation;
using namespace std::chrono_literals;

namespace {

/// Work that counts how often it is done.
Runner::Work counted(std::atomic<int>& count) {
    return [&count](const Call&) -> Result<Json> { return Json{{"count", ++count}}; };
}

}  // namespace

TEST_CASE("the same request again returns the same result, and the work is done once",
          "[operation]") {
    std::atomic<int> count = 0;
    Desk desk;
    const auto& kind = GENERATE(0, 1) == 0 ? long_tool : short_tool;
    for (int turn = 0; turn < 3; ++turn)
        CHECK(desk.run(kind, with_id("r"), me, counted(count)).value() == Json{{"count", 1}});
    desk.remake();
    CHECK(desk.run(kind, with_id("r"), me, counted(count)).value() == Json{{"count", 1}});
    CHECK(desk.run(kind, with_id("s"), me, counted(count)).value() == Json{{"count", 2}});
    const Call other{.caller = "token:b"};
    CHECK(desk.run(kind, with_id("r"), other, counted(count)).value() == Json{{"count", 3}});
}

TEST_CASE("a request_id of another call is refused, and the first result stands", "[operation]") {
    std::atomic<int> count = 0;
    const Desk desk;
    REQUIRE(desk.run(long_tool, with_id("r"), me, counted(count)));
    const auto refused =
        GENERATE(0, 1) == 0
            ? desk.run(long_tool, with_id("r"), me, counted(count), {{"name", "bob"}})
            : desk.run(short_tool, with_id("r"), me, counted(count));
    CHECK(refused.error().code == ErrorCode::invalid_argument);
    CHECK(refused.error().field == "/request_id");
    CHECK(refused.error().message.contains("was used for another call"));
    CHECK(desk.run(long_tool, with_id("r"), me, counted(count)).value() == Json{{"count", 1}});
}

TEST_CASE("a request that failed runs again", "[operation]") {
    std::atomic<int> count = 0;
    const Desk desk;
    const auto failing = [](const Call&) -> Result<Json> {
        return fail(ErrorCode::unavailable, "not now");
    };
    CHECK_FALSE(desk.run(long_tool, with_id("r"), me, failing));
    CHECK(desk.run(long_tool, with_id("r"), me, counted(count)).value() == Json{{"count", 1}});
}

TEST_CASE("callers of one request at once all get the result of one run", "[operation]") {
    std::atomic<int> count = 0, same = 0;
    const Desk desk;
    const auto& kind = GENERATE(0, 1) == 0 ? long_tool : short_tool;
    {
        std::vector<std::jthread> threads;
        for (int number = 0; number < 8; ++number) {
            threads.emplace_back([&] {
                const auto answer = desk.run(kind, with_id("r"), me, counted(count));
                if (answer && *answer == Json{{"count", 1}}) ++same;
            });
        }
    }
    CHECK(count == 1);
    CHECK(same == 8);
}

TEST_CASE("a repeated call waits for the run that is under way, and may leave it to itself",
          "[operation]") {
    Gate gate;
    const Desk desk;
    auto background = with_id("r");
    background.background = true;
    const auto id = id_of(desk.run(long_tool, background, me, gate.work({{"a", 1}})));
    CHECK(id_of(desk.run(long_tool, background, me, gate.work({{"a", 2}}))) == id);
    Call hasty = me;
    hasty.deadline = std::chrono::steady_clock::now() + 5ms;
    CHECK(desk.run(long_tool, with_id("r"), hasty, gate.work({{"a", 2}})).error().code ==
          ErrorCode::timed_out);
    std::jthread opener([&gate] { gate.open(); });
    CHECK(desk.run(long_tool, with_id("r"), me, gate.work({{"a", 2}})).value() == Json{{"a", 1}});
    CHECK(desk.operations->get(id, me, 60s).value().row.status ==
          store::OperationStatus::completed);
}

TEST_CASE("when one caller of a request goes away, the other still gets its result",
          "[operation]") {
    Gate gate;
    const Desk desk;
    std::stop_source gone;
    Call leaver = me;
    leaver.cancelled = gone.get_token();
    std::atomic<int> begun = 0;
    std::atomic<bool> left = false;
    // Either the second caller has joined before the first one leaves, and this run goes on for it,
    // or the run is taken back and the second caller's own is done.
    const auto work = [&](const Call& call) -> Result<Json> {
        const int run = ++begun;
        while (run == 1 && !left) {
            if (call.cancelled.stop_requested()) return fail(ErrorCode::unavailable, "cancelled");
            std::this_thread::yield();
        }
        return Json{{"run", run}};
    };
    std::jthread first([&] {
        (void)desk.run(long_tool, with_id("r"), leaver, work);
        left = true;
    });
    while (begun == 0) std::this_thread::yield();
    gone.request_stop();
    const auto answer = desk.run(long_tool, with_id("r"), me, work);
    CHECK(answer.value().at("run") == begun.load());
}

TEST_CASE("what berthd's end cut short is settled by what is there, or runs again", "[operation]") {
    std::atomic<int> count = 0;
    Desk desk;
    store::Requests rows(*desk.database);
    const Json arguments = {{"name", "ada"}};
    REQUIRE(rows.insert({.caller = "token:a",
                         .key = "r",
                         .tool = "container_create",
                         .arguments = digest_of(arguments),
                         .created_at = "2026-11-22T06:00:51.123Z",
                         .before = R"({"id":"x"})"},
                        "", 10));
    const bool done = GENERATE(true, false);
    std::string asked;
    desk.operations->recover_with({.before = [](const ToolSpec&, const Json&) { return Json(); },
                                   .settle = [&](const ToolSpec&, const Json&, const Json& before,
                                                 const std::string& since) -> std::optional<Json> {
                                       asked = to_text(before) + since;
                                       return done ? std::optional(Json{{"there", true}})
                                                   : std::nullopt;
                                   }});
    const auto answer = desk.run(long_tool, with_id("r"), me, counted(count), arguments);
    CHECK(asked == R"({"id":"x"}2026-11-22T06:00:51.123Z)");
    CHECK(answer.value() == (done ? Json{{"there", true}} : Json{{"count", 1}}));
    CHECK(count == (done ? 0 : 1));
    CHECK(desk.run(long_tool, with_id("r"), me, counted(count), arguments).value() == *answer);
}

TEST_CASE("a request is remembered for its time, and no more of them than fit", "[operation]") {
    std::atomic<int> count = 0;
    Desk desk;
    desk.options.requests_kept_max = 2;
    desk.remake();
    REQUIRE(desk.run(short_tool, with_id("a"), me, counted(count)));
    SECTION("a day") {
        desk.clock.moved = 24h + 1s;
        REQUIRE(desk.run(short_tool, with_id("b"), me, counted(count)));
        CHECK(desk.run(short_tool, with_id("a"), me, counted(count)).value() == Json{{"count", 3}});
    }
    SECTION("the newest") {
        for (const auto* key : {"b", "c", "d"}) {
            desk.clock.moved = desk.clock.moved.load() + 1s;
            REQUIRE(desk.run(short_tool, with_id(key), me, counted(count)));
        }
        CHECK(desk.run(short_tool, with_id("d"), me, counted(count)).value() == Json{{"count", 4}});
        CHECK(desk.run(short_tool, with_id("a"), me, counted(count)).value() == Json{{"count", 5}});
    }
}
