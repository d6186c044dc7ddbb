// SPDX-License-Identifier: Apache-2.0
#include "base/http_server.h"
#include "mcp-server/jsonrpc/rpc_client.h"
#include "mcp-server/jsonrpc/rpc_endpoint.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <condition_variable>
#include <mutex>
#include <semaphore>
#include <thread>

using namespace berth;

namespace {

/// Answers every tool with its own arguments, unless told to fail or to wait.
class EchoInvoker final : public Invoker {
public:
    Result<Json> invoke(std::string_view tool, const Json& arguments, const Call& call) override {
        last_caller = call.caller;
        last_deadline = call.deadline;
        if (tool == "container_get") {
            return fail(make_error(ErrorCode::not_found, "no container 'x'")
                            .at("/name")
                            .next("call container_list"));
        }
        if (tool == "container_exec") {
            waiting.release();
            std::mutex mutex;
            std::unique_lock lock(mutex);
            std::condition_variable_any never;
            (void)never.wait_until(lock, call.cancelled, call.deadline, [] { return false; });
            return fail(ErrorCode::timed_out, "time is up");
        }
        return Json{{"arguments", arguments}};
    }
    std::string last_caller;
    std::chrono::steady_clock::time_point last_deadline;
    std::counting_semaphore<> waiting{0};  // how many calls have come in to wait
};

HttpRequest post(std::string body) {
    return {.method = "POST",
            .path = "/rpc",
            .headers = {{"content-type", "application/json"}},
            .body = std::move(body)};
}

Json answer(std::string body, int status = 200) {
    EchoInvoker invoker;
    const auto response = answer_rpc(post(std::move(body)), invoker);
    CHECK(response.status == status);
    return Json::parse(response.body);
}

}  // namespace

TEST_CASE("a tool is a method and its arguments are the params") {
    CHECK(answer(R"({"jsonrpc":"2.0","id":"a","method":"container_list","params":{"limit":1}})") ==
          Json::parse(R"({"jsonrpc":"2.0","id":"a","result":{"arguments":{"limit":1}}})"));
    CHECK(answer(R"({"jsonrpc":"2.0","id":1,"method":"container_list"})")["result"]["arguments"] ==
          Json::object());
}

TEST_CASE("a tool's error is a JSON-RPC error under HTTP 200") {
    const auto error = answer(R"({"jsonrpc":"2.0","id":1,"method":"container_get"})")["error"];
    CHECK(error["code"] == -32000);
    CHECK(error["message"] == "no container 'x'");
    CHECK(error["data"] == Json::parse(R"({"code":"not_found","field":"/name",
                                           "hint":"call container_list","retry":"no"})"));
}

TEST_CASE("a method that is no tool is -32601 and the nearest one is named") {
    const auto error = answer(R"({"jsonrpc":"2.0","id":1,"method":"container_lst"})")["error"];
    CHECK(error["code"] == -32601);
    CHECK(error["data"]["hint"] == "did you mean 'container_list'?");
}

TEST_CASE("params by position are -32602") {
    CHECK(answer(R"({"jsonrpc":"2.0","id":1,"method":"container_list","params":[1]})")["error"]
                                                                                      ["code"] ==
          -32602);
}

TEST_CASE("a batch is answered with an array, without its notifications") {
    const auto answers = answer(R"([{"jsonrpc":"2.0","id":1,"method":"container_list"},
                                    {"jsonrpc":"2.0","method":"container_list"}, 7])");
    REQUIRE(answers.size() == 2);
    CHECK(answers[0]["id"] == 1);
    CHECK(answers[1]["error"]["code"] == -32600);
}

TEST_CASE("notifications alone are answered with 204") {
    EchoInvoker invoker;
    const auto response =
        answer_rpc(post(R"({"jsonrpc":"2.0","method":"container_list"})"), invoker);
    CHECK(response.status == 204);
    CHECK(response.body.empty());
    CHECK(answer_rpc(post(R"([{"jsonrpc":"2.0","method":"container_list"}])"), invoker).status ==
          204);
}

TEST_CASE("what is not JSON-RPC over POST is refused in JSON") {
    CHECK(answer("{", 400)["error"]["code"] == -32700);
    CHECK(answer("7", 400)["error"]["code"] == -32600);
    EchoInvoker invoker;
    auto request = post("{}");
    const auto [change, status] =
        GENERATE(table<int, int>({{0, 405}, {1, 404}, {2, 415}, {3, 415}}));
    if (change == 0) request.method = "GET";
    if (change == 1) request.path = "/";
    if (change == 2) request.headers.clear();
    if (change == 3) request.headers = {{"content-type", "text/plain"}};
    const auto response = answer_rpc(request, invoker);
    CHECK(response.status == status);
    CHECK(Json::parse(response.body).contains("error"));
    if (status == 405) CHECK(*find_header(response.headers, "allow") == "POST");
}

TEST_CASE("an Invoker reaches another one over a unix socket") {
    const TemporaryDirectory directory;
    const std::string path = directory.path() / "berthd.sock";
    EchoInvoker there;
    const auto handler = [&](const HttpRequest& request) { return answer_rpc(request, there); };
    auto server =
        HttpServer::listen(UnixEndpoint{.path = path}, handler, {.error_body = rpc_error_body});
    REQUIRE(server);
    const auto here = connect_rpc(path);

    SECTION("with its result, its caller and its deadline") {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(100);
        const auto result = here->invoke("container_list", {{"limit", 3}}, {.deadline = deadline});
        REQUIRE(result);
        CHECK((*result)["arguments"]["limit"] == 3);
        CHECK(there.last_caller == "uid:" + std::to_string(::getuid()));
        CHECK(std::chrono::abs(there.last_deadline - deadline) < std::chrono::seconds(2));
    }
    SECTION("with its error") {
        const auto result = here->invoke("container_get", Json::object(), {});
        REQUIRE_FALSE(result);
        CHECK(result.error().code == ErrorCode::not_found);
        CHECK(result.error().field == "/name");
        CHECK(result.error().hint == "call container_list");
    }
    SECTION("a call ends at its deadline") {
        const auto result = here->invoke(
            "container_exec", Json::object(),
            {.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(20)});
        REQUIRE_FALSE(result);
        CHECK(result.error().code == ErrorCode::timed_out);
    }
    SECTION("a cancelled call returns, whatever its deadline") {  // or the test's own time limit
                                                                  // ends it
        std::stop_source source;
        std::jthread cancel([&] {
            there.waiting.acquire();
            source.request_stop();
        });
        CHECK_FALSE(
            here->invoke("container_exec", Json::object(), {.cancelled = source.get_token()}));
    }
    SECTION("a server that was restarted is found again") {
        REQUIRE(here->invoke("container_list", Json::object(), {}));
        server->reset();
        const auto gone = here->invoke("container_list", Json::object(), {});
        REQUIRE_FALSE(gone);
        CHECK(gone.error().code == ErrorCode::unavailable);
        server = HttpServer::listen(UnixEndpoint{.path = path}, handler);
        REQUIRE(server);
        CHECK(here->invoke("container_list", Json::object(), {}));
    }
}

TEST_CASE("without berthd a call is unavailable and says how to start it") {
    const TemporaryDirectory directory;
    const std::string path = directory.path() / "none.sock";
    const auto result = connect_rpc(path)->invoke("container_list", Json::object(), {});
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::unavailable);
    CHECK(result.error().message.find(path) != std::string::npos);
    CHECK(result.error().hint.find("systemctl start berthd") != std::string::npos);
}
