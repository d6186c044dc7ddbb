// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/catalogue_tasks.h"

#include "tests/mcp-server/offer/told_host.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::mcp;

namespace {

Json operation(const std::string& status) {
    return {{"id", "op_1"},
            {"tool", "container_create"},
            {"target", "ada"},
            {"status", status},
            {"created_at", "2026-11-22T06:00:00.000Z"},
            {"updated_at", "2026-11-22T06:00:01.000Z"}};
}

}  // namespace

TEST_CASE("an operation that works is a working task with its progress") {
    Json working = operation("working");
    working["progress"] = {{"done", 2}, {"total", 5}, {"message", "starting init"}};
    const Task task = task_of(working);
    CHECK(task.id == "op_1");
    CHECK(task.status == "working");
    CHECK(task.message == "starting init");
    CHECK(task.created_at == "2026-11-22T06:00:00.000Z");
    CHECK(task.updated_at == "2026-11-22T06:00:01.000Z");
    CHECK(std::holds_alternative<std::monostate>(task.outcome));
}

TEST_CASE("an operation that has ended is a task with its outcome") {
    SECTION("its result") {
        Json done = operation("completed");
        done["result"] = {{"name", "ada"}};
        const Task task = task_of(done);
        CHECK(task.status == "completed");
        CHECK(std::get<TypedOutput>(task.outcome).value["name"] == "ada");
    }
    SECTION("the tool's error, which is no failure of the protocol") {
        Json failed = operation("failed");
        failed["error"] = {{"code", "busy"}, {"message", "ada is starting"}, {"hint", "wait"}};
        const Task task = task_of(failed);
        CHECK(task.status == "completed");
        CHECK(std::get<Error>(task.outcome).code == ErrorCode::busy);
        CHECK(std::get<Error>(task.outcome).message == "ada is starting");
        CHECK(std::get<Error>(task.outcome).hint == "wait");
    }
    SECTION("nothing, when it was cancelled") {
        const Task task = task_of(operation("cancelled"));
        CHECK(task.status == "cancelled");
        CHECK(std::holds_alternative<std::monostate>(task.outcome));
    }
}

TEST_CASE("a task is asked for and cancelled by its id, as its caller") {
    ToldHost host;
    host.gives("operation_get", operation("working"));
    host.gives("operation_cancel", operation("cancelled"));
    CatalogueTasks tasks(host);
    Asked asked = plain_request();
    asked.call.caller = "token:ci";
    const auto task = tasks.get("op_1", asked);
    REQUIRE(task);
    CHECK(task->id == "op_1");
    CHECK(tasks.update("op_1", {{"confirm", true}}, asked));
    CHECK(tasks.cancel("op_1", asked));
    CHECK(host.invoked_tools() ==
          std::vector<std::string>{"operation_get", "operation_get", "operation_cancel"});
    for (const auto& one : host.invoked()) {
        CHECK(one.arguments == Json{{"id", "op_1"}});
        CHECK(one.call.caller == "token:ci");
    }
}

TEST_CASE("an unknown task is a wrong message, and berthd being away is not") {
    ToldHost host;
    CatalogueTasks tasks(host);
    for (const auto code : {ErrorCode::not_found, ErrorCode::invalid_argument}) {
        host.fails("operation_get", make_error(code, "no operation 'x'"));
        host.fails("operation_cancel", make_error(code, "no operation 'x'"));
        const auto asked = plain_request();
        const auto got = tasks.get("x", asked);
        REQUIRE_FALSE(got);
        CHECK(got.error().error.code == -32602);
        CHECK(got.error().error.data["taskId"] == "x");
        CHECK(tasks.update("x", {}, asked).error().error.code == -32602);
        CHECK(tasks.cancel("x", asked).error().error.code == -32602);
    }
    host.down = true;
    const auto got = tasks.get("x", plain_request());
    REQUIRE_FALSE(got);
    CHECK(got.error().error.code == -32000);
    CHECK(got.error().error.data["code"] == "unavailable");
    CHECK(got.error().error.data["hint"] == "start berthd");
}

TEST_CASE("only an object with an id is an operation in an answer") {
    CHECK(operation_in({{"operation", {{"id", "op_1"}}}}) != nullptr);
    CHECK(operation_in({{"operation", "op_1"}}) == nullptr);
    CHECK(operation_in({{"operation", Json::object()}}) == nullptr);
    CHECK(operation_in({{"name", "ada"}}) == nullptr);
    CHECK(operation_in(Json::array()) == nullptr);
}
