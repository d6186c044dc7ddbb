// SPDX-License-Identifier: Apache-2.0
#include "base/http_client.h"
#include "base/http_server.h"
#include "mcp-server/jsonrpc/rpc_client.h"
#include "mcp-server/jsonrpc/rpc_endpoint.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <algorithm>
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
        last = call;
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
            if (call.cancelled.stop_requested()) cancelled.release();
            return fail(ErrorCode::timed_out, "time is up");
        }
        if (tool == "container_create" && call.report) {
            call.report({.done = 1, .total = 3, .message = "one\nof three"});
            heard.acquire();  // so the first report is there before the second is made
            call.report({.done = 2.5});
        }
        return Json{{"arguments", arguments}};
    }
    Call last;
    std::counting_semaphore<> heard{0};
    std::counting_semaphore<> cancelled{0};
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

TEST_CASE("headers say what the call is like, and whom to believe is an option") {
    EchoInvoker invoker;
    auto request = post(R"({"jsonrpc":"2.0","id":1,"method":"container_list"})");
    request.remote = "127.0.0.1:1";
    SECTION("the caller is believed only if told so") {
        request.headers.emplace("berth-caller", "token:root");
        CHECK(answer_rpc(request, invoker).status == 200);
        CHECK(invoker.last.caller == "127.0.0.1:1");
        CHECK(answer_rpc(request, invoker, {.trust_caller = true}).status == 200);
        CHECK(invoker.last.caller == "token:root");
    }
    SECTION("what is malformed is refused") {
        const auto [name, value] =
            GENERATE(table<std::string, std::string>({{"berth-caller", ""},
                                                      {"berth-caller", std::string(201, 'x')},
                                                      {"berth-caller", "a\tb"},
                                                      {"berth-expected-state", "\xff"},
                                                      {"berth-timeout-ms", "soon"},
                                                      {"berth-timeout-ms", "99999999999999999999"},
                                                      {"berth-background-after-ms", "1.5"}}));
        request.headers.emplace(name, value);
        const auto response = answer_rpc(request, invoker, {.trust_caller = true});
        CHECK(response.status == 400);
        CHECK(response.body.contains(name));
    }
    SECTION("progress needs a connection") {
        request.headers.emplace("berth-progress", "1");
        CHECK(answer_rpc(request, invoker).status == 200);
        CHECK_FALSE(invoker.last.report);
    }
}

TEST_CASE("the methods can be fewer than the tools, or others") {
    EchoInvoker invoker;
    const RpcOptions options{.has_method = [](std::string_view name) {
        return name == "container_get" || name == "fixture";
    }};
    const auto ask = [&](const std::string& method) {
        const Json message = {{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}};
        return Json::parse(answer_rpc(post(to_text(message)), invoker, options).body);
    };
    CHECK(ask("fixture").contains("result"));
    CHECK(ask("container_list")["error"]["code"] == -32601);
    CHECK(ask("container_gt")["error"]["data"]["hint"] == "did you mean 'container_get'?");
    CHECK_FALSE(ask("gpu_lst")["error"]["data"].contains("hint"));
}

TEST_CASE("an answer becomes lines when there is progress to tell, and only then") {
    const TemporaryDirectory directory;
    const std::string path = directory.path() / "berthd.sock";
    EchoInvoker there;
    there.heard.release(10);
    const auto server =
        HttpServer::listen(UnixEndpoint{.path = path},
                           [&](const HttpRequest& request) { return answer_rpc(request, there); });
    REQUIRE(server);
    HttpClient client(path);
    const auto ask = [&](std::string body, std::string progress) {
        auto request = post(std::move(body));
        request.headers.emplace("berth-progress", std::move(progress));
        const auto response = client.send(request);
        REQUIRE(response);
        CHECK(response->status == 200);
        return *response;
    };
    const std::string create = R"({"jsonrpc":"2.0","id":"a","method":"container_create"})";
    const std::string list = R"({"jsonrpc":"2.0","id":2,"method":"container_list"})";
    for (const auto& answer : {ask(create, "0"), ask(list, "1")}) {
        CHECK(*find_header(answer.headers, "content-type") == "application/json");
        CHECK(Json::parse(answer.body).contains("result"));
    }
    const auto one = ask(create, "1");
    CHECK(*find_header(one.headers, "content-type") == "application/x-ndjson");
    CHECK(one.body ==
          R"({"jsonrpc":"2.0","method":"progress","params":{"id":"a","done":1.0,"total":3.0,)"
          R"("message":"one\nof three"}})"
          "\n"
          R"({"jsonrpc":"2.0","method":"progress","params":{"id":"a","done":2.5}})"
          "\n"
          R"({"jsonrpc":"2.0","id":"a","result":{"arguments":{}}})"
          "\n");
    const auto both = ask("[" + list + "," + create + "]", "1");
    CHECK(std::ranges::count(both.body, '\n') == 3);
    CHECK(both.body.ends_with(R"([{"jsonrpc":"2.0","id":2,"result":{"arguments":{}}},)"
                              R"({"jsonrpc":"2.0","id":"a","result":{"arguments":{}}}])"
                              "\n"));
}

TEST_CASE("an Invoker reaches another one over a unix socket") {
    const TemporaryDirectory directory;
    const std::string path = directory.path() / "berthd.sock";
    EchoInvoker there;
    const auto handler = [&](const HttpRequest& request) {
        return answer_rpc(request, there, {.trust_caller = true});
    };
    auto server =
        HttpServer::listen(UnixEndpoint{.path = path}, handler, {.error_body = rpc_error_body});
    REQUIRE(server);
    const auto here = connect_rpc(path);

    SECTION("with its result, its caller and its deadline") {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(100);
        const auto result = here->invoke("container_list", {{"limit", 3}}, {.deadline = deadline});
        REQUIRE(result);
        CHECK((*result)["arguments"]["limit"] == 3);
        CHECK(there.last.caller == "uid:" + std::to_string(::getuid()));
        CHECK_FALSE(there.last.background_after);
        CHECK(there.last.expected_state.empty());
        CHECK_FALSE(there.last.report);
        CHECK(std::chrono::abs(there.last.deadline - deadline) < std::chrono::seconds(2));
    }
    SECTION("with all that the call says of itself") {
        REQUIRE(here->invoke("container_list", Json::object(),
                             {.caller = "token:ci 127.0.0.1",
                              .background_after = std::chrono::milliseconds(0),
                              .expected_state = "sha256:abc"}));
        CHECK(there.last.caller == "token:ci 127.0.0.1");
        CHECK(there.last.background_after == std::chrono::milliseconds(0));
        CHECK(there.last.expected_state == "sha256:abc");
    }
    SECTION("but not with what no header can carry") {
        const auto text = GENERATE(as<std::string>(), "a\r\nberth-expected-state: b", "\xc3\xa9",
                                   " a", "a ", std::string(201, 'a'));
        for (const Call& call : {Call{.caller = text}, Call{.expected_state = text}}) {
            const auto result = here->invoke("container_list", Json::object(), call);
            REQUIRE_FALSE(result);
            CHECK(result.error().code == ErrorCode::invalid_argument);
        }
    }
    SECTION("with its progress, as it happens") {
        for (int again = 0; again < 2; ++again) {
            std::vector<Progress> seen;
            const auto result = here->invoke("container_create", {{"name", "ada"}},
                                             {.report = [&](const Progress& progress) {
                                                 seen.push_back(progress);
                                                 if (seen.size() == 1) there.heard.release();
                                             }});
            REQUIRE(result);
            CHECK((*result)["arguments"]["name"] == "ada");
            REQUIRE(seen.size() == 2);
            CHECK(seen[0].done == 1);
            CHECK(seen[0].total == 3);
            CHECK(seen[0].message == "one\nof three");
            CHECK(seen[1].done == 2.5);
            CHECK_FALSE(seen[1].total);
            CHECK(seen[1].message.empty());
            there.last.report({.done = 9});  // after the answer: heard by nobody, and harmless
            CHECK(seen.size() == 2);
        }
    }
    SECTION("with its error, though somebody listens for progress") {
        const auto result = here->invoke("container_get", Json::object(),
                                         {.report = [](const Progress&) { FAIL(); }});
        REQUIRE_FALSE(result);
        CHECK(result.error().code == ErrorCode::not_found);
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
        there.cancelled.acquire();  // and it has ended over there too
    }
    SECTION("a call ends when the server stops") {
        std::jthread stop([&] {
            there.waiting.acquire();
            server->reset();
        });
        const auto result = here->invoke("container_exec", Json::object(), {});
        REQUIRE_FALSE(result);
        CHECK(result.error().code == ErrorCode::timed_out);  // as the tool itself says
        there.cancelled.acquire();
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
