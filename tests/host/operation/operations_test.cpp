// SPDX-License-Identifier: Apache-2.0
// Long work: in front of its caller, in the background, and when it has ended.
#include "tests/host/operation/desk.h"

using namespace berth;
using namespace berth::operation;
using namespace std::chrono_literals;

TEST_CASE("a long call answers with its result, and a short one is run where it was called",
          "[operation]") {
    const Desk desk;
    CHECK(desk.run(long_tool, {}, me, answers({{"done", 1}})).value() == Json{{"done", 1}});
    const auto here = std::this_thread::get_id();
    const auto check = [here](bool same) {
        return [here, same](const Call&) -> Result<Json> {
            CHECK((std::this_thread::get_id() == here) == same);
            return Json::object();
        };
    };
    CHECK(desk.run(long_tool, {}, me, check(false)));
    CHECK(desk.run(short_tool, {}, me, check(true)));
    CHECK(desk.run(short_tool, with_id("r"), me, check(true)));
    CHECK(desk.operations->list("uid:0").value().empty());
}

TEST_CASE("work in the background is asked for by its id, and its result outlives it",
          "[operation]") {
    Gate gate;
    Desk desk;
    const auto answer = desk.run(long_tool, {.background = true}, me, gate.work({{"done", 1}}));
    const Json handle = answer.value().at("operation");
    CHECK(handle.at("status") == "working");
    CHECK(handle.at("tool") == "container_create");
    CHECK(handle.at("container") == "ada");
    CHECK(handle.at("next").get<std::string>().contains("operation_get"));
    const auto id = id_of(answer);
    CHECK(id.starts_with("op_"));
    CHECK(desk.operations->get(id, me, 0ms).value().row.status == store::OperationStatus::working);
    gate.open();
    const auto ended = operation_json(desk.operations->get(id, me, 60s).value());
    CHECK(ended.at("status") == "completed");
    CHECK(ended.at("result") == Json{{"done", 1}});
    CHECK(ended.at("expires_at") > handle.at("updated_at"));
    desk.remake();
    CHECK(operation_json(desk.operations->get(id, me, 60s).value()) == ended);
}

TEST_CASE("a call that takes longer than its caller waits becomes an operation", "[operation]") {
    Gate gate;
    const Desk desk;
    Call call = me;
    call.background_after = GENERATE(0ms, 5ms);
    const auto answer = desk.run(long_tool, {}, call, gate.work(Json::object()));
    REQUIRE(answer.value().contains("operation"));
    gate.open();
    CHECK(desk.operations->get(id_of(answer), me, 60s).value().row.status ==
          store::OperationStatus::completed);
}

TEST_CASE("a background operation does not end with the call that began it", "[operation]") {
    Gate gate;
    const Desk desk;
    std::stop_source gone;
    Call call = me;
    call.cancelled = gone.get_token();
    const auto id = id_of(desk.run(long_tool, {.background = true}, call, gate.work({{"a", 1}})));
    gone.request_stop();
    gate.open();
    CHECK(desk.operations->get(id, me, 60s).value().row.status ==
          store::OperationStatus::completed);
}

TEST_CASE("a caller that goes away ends its work", "[operation]") {
    const Desk desk;
    std::stop_source gone;
    Call call = me;
    call.cancelled = gone.get_token();
    std::atomic<int> begun = 0;
    std::jthread leaver([&] {
        while (begun == 0) std::this_thread::yield();
        gone.request_stop();
    });
    const auto answer = desk.run(long_tool, {}, call, until_stopped(&begun));
    CHECK(answer.error().message == "was cancelled");
}

TEST_CASE("when the time of a call is up, its work ends and the error says so", "[operation]") {
    const Desk desk;
    Call call = me;
    call.deadline = std::chrono::steady_clock::now() + 5ms;
    const auto answer = desk.run(long_tool, {}, call, until_stopped());
    CHECK(answer.error().code == ErrorCode::timed_out);
    CHECK(answer.error().message.contains("was cancelled"));
}

TEST_CASE("work that cannot be taken back any more is answered, however late", "[operation]") {
    const Desk desk;
    Call call = me;
    call.deadline = std::chrono::steady_clock::now() + 5ms;
    const auto stubborn = [](const Call& inside) -> Result<Json> {
        while (!inside.cancelled.stop_requested()) std::this_thread::yield();
        return Json{{"deleted", true}};
    };
    CHECK(desk.run(long_tool, {}, call, stubborn).value() == Json{{"deleted", true}});
}

TEST_CASE("progress reaches the caller, and a silent call says that it still runs", "[operation]") {
    Gate gate;
    const Desk desk;
    std::vector<Progress> heard;
    Call call = me;
    call.report = [&](const Progress& progress) {
        heard.push_back(progress);
        if (heard.size() == 3) gate.open();
    };
    SECTION("with steps, growing towards the next") {
        const auto work = [&gate](const Call& inside) -> Result<Json> {
            inside.report({.done = 1, .total = 4, .message = "starting"});
            gate.opened.wait();
            return Json::object();
        };
        REQUIRE(desk.run(long_tool, {}, call, work));
        REQUIRE(heard.size() >= 3);
        CHECK(heard[0].done == 1);
        CHECK(heard[1].done > 1);
        CHECK(heard[2].done > heard[1].done);
        CHECK(heard[2].done < 2);
        CHECK(heard[2].message.starts_with("starting: running for "));
    }
    SECTION("without any") {
        REQUIRE(desk.run(long_tool, {}, call, gate.work(Json::object())));
        CHECK(heard[0].message.starts_with("container_create: running for "));
    }
}

TEST_CASE("cancelling an operation ends its work, and may be repeated", "[operation]") {
    const Desk desk;
    const auto id = id_of(desk.run(long_tool, {.background = true}, me, until_stopped()));
    (void)desk.operations->cancel(id, me).value();
    const auto state = desk.operations->get(id, me, 60s).value();
    CHECK(state.row.status == store::OperationStatus::cancelled);
    CHECK(operation_json(state).at("error").at("message") == "was cancelled");
    CHECK(desk.operations->cancel(id, me).value().row.status == store::OperationStatus::cancelled);
}

TEST_CASE("an error in the background is told by its id", "[operation]") {
    const Desk desk;
    const auto id = id_of(desk.run(long_tool, {.background = true}, me, [](const Call&) {
        return Result<Json>(fail(
            make_error(ErrorCode::not_found, "no image").at("/image").next("call image_list")));
    }));
    const auto ended = operation_json(desk.operations->get(id, me, 60s).value());
    CHECK(ended.at("status") == "failed");
    CHECK(ended.at("error") == Json{{"code", "not_found"},
                                    {"message", "no image"},
                                    {"field", "/image"},
                                    {"hint", "call image_list"}});
}

TEST_CASE("an exception in long work is an internal error", "[operation]") {
    const Desk desk;
    const auto answer = desk.run(
        long_tool, {}, me, [](const Call&) -> Result<Json> { throw std::runtime_error("bug"); });
    CHECK(answer.error().code == ErrorCode::internal);
}

TEST_CASE("operations belong to their caller, and callers on this machine see all", "[operation]") {
    const Desk desk;
    const auto id = id_of(desk.run(long_tool, {.background = true}, me, answers(Json::object())));
    const Call other{.caller = "token:b"};
    CHECK(desk.operations->get(id, other, 0ms).error().code == ErrorCode::not_found);
    CHECK(desk.operations->cancel(id, other).error().field == "/id");
    CHECK(desk.operations->list("token:b").value().empty());
    for (const auto* caller : {"token:a", "uid:0", "mcp-stdio:1"}) {
        CHECK(desk.operations->get(id, {.caller = caller}, 0ms));
        CHECK(desk.operations->list(caller).value().size() == 1);
    }
}

TEST_CASE("an ended operation is kept for its time and no longer", "[operation]") {
    Desk desk;
    const auto id = id_of(desk.run(long_tool, {.background = true}, me, answers(Json::object())));
    REQUIRE(desk.operations->get(id, me, 60s));
    desk.clock.moved = 3599s;
    CHECK(desk.operations->get(id, me, 0ms));
    desk.clock.moved = 3600s;
    CHECK(desk.operations->get(id, me, 0ms).error().code == ErrorCode::not_found);
    CHECK(desk.operations->list("uid:0").value().empty());
}

TEST_CASE("of more ended operations than are kept the oldest go first, and none that works",
          "[operation]") {
    Gate gate;
    Desk desk;
    desk.options.operations_kept_max = 3;
    desk.remake();
    const auto working =
        id_of(desk.run(long_tool, {.background = true}, me, gate.work(Json::object())));
    std::vector<std::string> ids;
    for (int count = 0; count < 4; ++count) {
        desk.clock.moved = std::chrono::seconds(count + 1);
        ids.push_back(
            id_of(desk.run(long_tool, {.background = true}, me, answers(Json::object()))));
        REQUIRE(desk.operations->get(ids.back(), me, 60s).value().row.status ==
                store::OperationStatus::completed);
    }
    CHECK(desk.operations->list("uid:0").value().size() == 3);
    CHECK(desk.operations->get(working, me, 0ms));
    CHECK_FALSE(desk.operations->get(ids.front(), me, 0ms));
    CHECK(desk.operations->get(ids.back(), me, 0ms));
    gate.open();
}

TEST_CASE("more long calls than there are threads for are refused as busy", "[operation]") {
    Gate gate;
    Desk desk;
    desk.options.operations_running_max = 1;
    desk.remake();
    REQUIRE(desk.run(long_tool, {.background = true}, me, gate.work(Json::object())));
    const auto refused = desk.run(long_tool, {}, me, answers(Json::object()));
    CHECK(refused.error().code == ErrorCode::busy);
    CHECK(desk.run(long_tool, with_id("r"), me, answers(Json::object())).error().code ==
          ErrorCode::busy);
    CHECK(desk.run(short_tool, {}, me, answers(Json::object())));
    gate.open();
}

TEST_CASE("stopping ends what runs, marks it, and refuses more", "[operation]") {
    Desk desk;
    const auto id = id_of(desk.run(long_tool, {.background = true}, me, until_stopped()));
    desk.operations->stop();
    CHECK(desk.run(long_tool, {}, me, answers(Json::object())).error().code ==
          ErrorCode::unavailable);
    desk.remake();
    const auto ended = operation_json(desk.operations->get(id, me, 0ms).value());
    CHECK(ended.at("status") == "failed");
    CHECK(ended.at("error").at("message") == "berthd was stopped while it ran");
}

TEST_CASE("after a crash the operations that were at work have failed, and ended ones are there",
          "[operation]") {
    Desk desk;
    const auto done = id_of(desk.run(long_tool, {.background = true}, me, answers({{"a", 1}})));
    REQUIRE(desk.operations->get(done, me, 60s));
    store::Operations rows(*desk.database);
    REQUIRE(rows.insert({.id = "op_cut", .caller = "token:a", .tool = "container_exec"}, 1000));
    desk.remake();
    REQUIRE(desk.operations->recover());
    const auto cut = operation_json(desk.operations->get("op_cut", me, 60s).value());
    CHECK(cut.at("status") == "failed");
    CHECK(cut.at("error").at("code") == "unavailable");
    CHECK(cut.at("error").at("hint").get<std::string>().contains("call the tool again"));
    CHECK(operation_json(desk.operations->get(done, me, 0ms).value()).at("status") == "completed");
}

TEST_CASE("events tell of operations that were handed out", "[operation]") {
    const Desk desk;
    std::mutex mutex;
    std::condition_variable heard_more;
    std::vector<Json> heard;
    const auto subscription =
        const_cast<events::Events&>(desk.events).subscribe([&](const Json& e) {
            const std::lock_guard lock(mutex);
            heard.push_back(e);
            heard_more.notify_all();
        });
    REQUIRE(desk.run(long_tool, {}, me, answers(Json::object())));
    const auto id = id_of(desk.run(long_tool, {.background = true}, me, answers(Json::object())));
    std::unique_lock lock(mutex);
    heard_more.wait(lock, [&] { return heard.size() == 2; });
    CHECK(heard[0] ==
          Json{{"kind", "operation"}, {"id", id}, {"status", "working"}, {"caller", "token:a"}});
    CHECK(heard[1].at("status") == "completed");
}
