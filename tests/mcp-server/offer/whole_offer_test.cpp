// SPDX-License-Identifier: Apache-2.0
// The offer behind the protocol: what a client sends and gets, in both eras.
#include "mcp-server/offer/catalogue_tasks.h"
#include "mcp-server/offer/catalogue_tools.h"
#include "mcp-server/offer/host_resources.h"
#include "mcp-server/protocol/dispatcher.h"
#include "tests/mcp-server/offer/told_host.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::mcp;

namespace {

/// Answers what the server asks, as a person would who says yes or no.
class Line final : public Exchange {
public:
    Line(std::shared_ptr<Session> session, bool yes) : session_(std::move(session)), yes_(yes) {}
    void send(const std::string& message) override {
        const Json request = Json::parse(message);
        if (request.value("method", "") != "elicitation/create") return;
        asked.push_back(request["params"]);
        const Json result = yes_ ? Json{{"action", "accept"}, {"content", {{"confirm", true}}}}
                                 : Json{{"action", "decline"}};
        session_->take_answer(
            {.id = request["id"].get<std::string>(), .result = result, .error = std::nullopt});
    }
    std::vector<Json> asked;

private:
    std::shared_ptr<Session> session_;
    bool yes_;
};

policy::Policy confirm_deletes() {
    return policy::Policy::of({.tools = {{"container_delete", policy::Action::confirm}}}).value();
}

struct Server {
    ToldHost host;
    SystemClock clock;
    Hub hub;
    policy::Policy policy = confirm_deletes();
    policy::ConfirmTokens tokens{auth::SealKey::random(), clock};
    Gate gate{host, policy, tokens, clock};
    CatalogueTools tools{host, gate};
    HostResources resources{host};
    CatalogueTasks tasks{host};
    Dispatcher dispatcher{
        {.identity = {.name = "berth", .title = "berth", .version = "1", .instructions = ""},
         .tools = tools,
         .resources = &resources,
         .tasks = &tasks,
         .resources_change = true},
        hub,
        auth::Seals(auth::SealKey::random(), clock)};
    int deleted = 0;

    Server() {
        host.tools["container_delete"] = [this](const Json& arguments,
                                                const Call&) -> Result<Json> {
            if (arguments.value("dry_run", false)) {
                return Json{{"dry_run", true},
                            {"would", "delete container 'ada'"},
                            {"target", {{"name", "ada"}}},
                            {"state", "sha256:1"}};
            }
            ++deleted;
            return Json{{"name", "ada"}};
        };
    }

    Json modern(const std::string& method, Json params, const Json& capabilities) {
        params["_meta"] = {{"io.modelcontextprotocol/protocolVersion", "2026-07-28"},
                           {"io.modelcontextprotocol/clientCapabilities", capabilities}};
        const Json message = {
            {"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", std::move(params)}};
        return Json::parse(dispatcher.answer(to_text(message), {.principal = "token:ci"}).text);
    }
    Json delete_ada(const Json& more = Json::object(),
                    const Json& capabilities = {{"elicitation", Json::object()}}) {
        Json params = {{"name", "container_delete"}, {"arguments", {{"name", "ada"}}}};
        params.update(more);
        return modern("tools/call", params, capabilities);
    }
};

}  // namespace

TEST_CASE("a modern client is asked, and its retry with a yes deletes once") {
    Server server;
    const Json asked = server.delete_ada()["result"];
    REQUIRE(asked["resultType"] == "input_required");
    CHECK(asked["inputRequests"]["confirm"]["method"] == "elicitation/create");
    const Json yes = {{"requestState", asked["requestState"]},
                      {"inputResponses",
                       {{"confirm", {{"action", "accept"}, {"content", {{"confirm", true}}}}}}}};
    CHECK(server.deleted == 0);
    const Json done = server.delete_ada(yes)["result"];
    CHECK(done["resultType"] == "complete");
    CHECK(done["structuredContent"]["name"] == "ada");
    CHECK(server.deleted == 1);
    CHECK(server.delete_ada(yes)["result"]["resultType"] == "input_required");
    CHECK(server.deleted == 1);
}

TEST_CASE("a yes to one call is none to another") {
    Server server;
    const Json asked = server.delete_ada()["result"];
    Json params = {{"name", "container_delete"},
                   {"arguments", {{"name", "bob"}}},
                   {"requestState", asked["requestState"]},
                   {"inputResponses",
                    {{"confirm", {{"action", "accept"}, {"content", {{"confirm", true}}}}}}}};
    const Json refused = server.modern("tools/call", params, {{"elicitation", Json::object()}});
    CHECK(refused["error"]["code"] == -32602);
    CHECK(refused["error"]["data"]["reason"] == "invalid_request_state");
    CHECK(server.deleted == 0);
}

TEST_CASE("a legacy client is asked while its call waits") {
    Server server;
    const bool yes = GENERATE(true, false);
    const auto session =
        std::make_shared<Session>("2025-11-25", Json{{"elicitation", Json::object()}});
    Line line(session, yes);
    const auto outcome = server.dispatcher.answer(
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call",
            "params":{"name":"container_delete","arguments":{"name":"ada"}}})",
        {.session = session, .principal = "stdio", .exchange = &line});
    const Json result = Json::parse(outcome.text)["result"];
    REQUIRE(line.asked.size() == 1);
    CHECK(line.asked[0]["message"].get<std::string>().contains("delete container 'ada'"));
    CHECK(server.deleted == (yes ? 1 : 0));
    CHECK_FALSE(result.value("isError", false));
    // Clients check that a tool with an output schema answers with structured content.
    CHECK(result.contains("structuredContent"));
    CHECK(result["content"][0]["text"].get<std::string>().contains("Nothing was done") == !yes);
}

TEST_CASE("a client that cannot ask goes on with the token of the refusal") {
    Server server;
    const Json refused = server.delete_ada(Json::object(), Json::object())["result"];
    CHECK(refused["isError"] == true);
    const Json error = refused["structuredContent"]["error"];
    CHECK(error["code"] == "needs_confirmation");
    const std::string token = error["details"]["confirm_token"];
    CHECK(refused["content"][0]["text"].get<std::string>().contains(token));
    const Json more = {{"arguments", {{"name", "ada"}, {"confirm_token", token}}}};
    CHECK(server.delete_ada(more, Json::object())["result"]["structuredContent"]["name"] == "ada");
    CHECK(server.deleted == 1);
}

TEST_CASE("a long call of a client with tasks is a task that ends with the tool's result") {
    Server server;
    Json operation = {{"id", "op_1"},
                      {"tool", "container_create"},
                      {"status", "working"},
                      {"created_at", "2026-11-22T06:00:00.000Z"},
                      {"updated_at", "2026-11-22T06:00:00.000Z"}};
    server.host.gives("container_create", {{"operation", operation}});
    server.host.gives("operation_get", operation);
    const Json capabilities = {{"extensions", {{tasks_extension, Json::object()}}}};
    const Json begun = server.modern(
        "tools/call", {{"name", "container_create"}, {"arguments", {{"name", "ada"}}}},
        capabilities)["result"];
    CHECK(begun["resultType"] == "task");
    CHECK(begun["taskId"] == "op_1");
    CHECK(begun["status"] == "working");
    const auto get = [&] {
        return server.modern("tasks/get", {{"taskId", "op_1"}}, capabilities)["result"];
    };
    CHECK(get()["status"] == "working");
    operation["status"] = "completed";
    operation["result"] = {{"name", "ada"}};
    server.host.gives("operation_get", operation);
    CHECK(get()["result"]["structuredContent"]["name"] == "ada");
    operation["status"] = "failed";
    operation["error"] = {{"code", "unavailable"}, {"message", "no space"}, {"hint", "free some"}};
    server.host.gives("operation_get", operation);
    CHECK(get()["status"] == "completed");
    CHECK(get()["result"]["isError"] == true);
}

TEST_CASE("a resource that is not there is a wrong parameter that names it") {
    Server server;
    server.host.has_containers({"ada"});
    for (const auto* uri : {"container://bob", "nosuch://x"}) {
        const Json error = server.modern("resources/read", {{"uri", uri}}, Json::object())["error"];
        CHECK(error["code"] == -32602);
        CHECK(error["data"]["uri"] == uri);
    }
    const Json contents = server.modern("resources/read", {{"uri", "container://ada"}},
                                        Json::object())["result"]["contents"];
    CHECK(contents[0]["uri"] == "container://ada");
}
