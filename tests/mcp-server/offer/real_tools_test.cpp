// SPDX-License-Identifier: Apache-2.0
// The offer over the real tools of a host whose containers are made up: what they assume of each
// other holds.
#include "mcp-server/offer/backend_watch.h"
#include "mcp-server/offer/catalogue_prompts.h"
#include "mcp-server/offer/catalogue_tasks.h"
#include "mcp-server/offer/catalogue_tools.h"
#include "mcp-server/offer/host_resources.h"
#include "mcp-server/offer/name_completer.h"
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <algorithm>
#include <condition_variable>

using namespace berth;
using namespace berth::mcp;

namespace {

struct Fixture {
    FakeHost host;
    policy::Policy policy;
    policy::ConfirmTokens tokens{auth::SealKey::random(), host.clock};
    Gate gate{*host.registry, policy, tokens, host.clock};
    GatedInvoker gated{*host.registry, gate};
    CatalogueTools tools{*host.registry, gate};
    HostResources resources{gated};
    CataloguePrompts prompts{gated};
    NameCompleter completer{gated, prompts, resources};
    CatalogueTasks tasks{*host.registry};
    Asked asked{.call = {.caller = "uid:0"},
                .client = {.principal = "uid:0"},
                .log = [](LogLevel, const Json&) {},
                .end_stream = [] {}};

    explicit Fixture(policy::PolicySettings settings = {})
        : policy(policy::Policy::of(std::move(settings)).value()) {
        REQUIRE(host.registry->invoke("container_create", {{"name", "ada"}}, {}));
    }
    Result<Json> call(const char* tool, const Json& arguments) {
        auto answer = tools.call(tool, arguments, asked);
        if (answer) return std::get<TypedOutput>(*answer).value;
        return fail(std::get<Error>(answer.error()));
    }
    Json read(const char* uri) {
        const auto answer = resources.read(uri, asked);
        REQUIRE(answer);
        return std::get<Json>(*answer)["contents"][0];
    }
};

}  // namespace

TEST_CASE("the resources are what the real tools answer", "[offer]") {
    if (!privileged()) return;
    Fixture test;
    const auto page = test.resources.list(std::nullopt, test.asked);
    REQUIRE(page);
    REQUIRE(page->resources.size() == 5);
    CHECK(page->resources[3]["uri"] == "container://ada");
    const Json container = Json::parse(test.read("container://ada")["text"].get<std::string>());
    CHECK(container["name"] == "ada");
    CHECK(container.contains("limits"));  // in full
    CHECK(Json::parse(test.read("host://system")["text"].get<std::string>())["version"] == "test");
    CHECK(Json::parse(test.read("warning://host")["text"].get<std::string>()).is_array());
    const auto gone = test.resources.read("container://bob", test.asked);
    REQUIRE_FALSE(gone);
    CHECK(std::get<Error>(gone.error()).code == ErrorCode::not_found);
}

TEST_CASE("names are completed from the real lists", "[offer]") {
    if (!privileged()) return;
    Fixture test;
    const auto names = test.completer.complete(
        {{"type", "ref/resource"}, {"uri", "container://{name}"}}, "name", "a", {}, test.asked);
    REQUIRE(names);
    CHECK(names->values == std::vector<std::string>{"ada"});
}

TEST_CASE("a confirmed delete deletes what was shown and nothing else", "[offer]") {
    if (!privileged()) return;
    Fixture test({.tools = {{"container_delete", policy::Action::confirm}}});
    const Json arguments = {{"name", "ada"}, {"force", true}};
    const auto refused = test.call("container_delete", arguments);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::needs_confirmation);
    CHECK(refused.error().message.contains("'ada' (running"));
    Json confirmed = arguments;
    confirmed["confirm_token"] = Json::parse(refused.error().data)["confirm_token"];
    SECTION("when it is as it was") {
        CHECK(test.call("container_delete", confirmed));
        CHECK_FALSE(test.call("container_get", {{"name", "ada"}}));
    }
    SECTION("and fails when it has changed") {
        REQUIRE(test.call("port_add", {{"container", "ada"}, {"container_port", 80}}));
        const auto late = test.call("container_delete", confirmed);
        REQUIRE_FALSE(late);
        CHECK(late.error().code == ErrorCode::busy);
        CHECK(test.call("container_get", {{"name", "ada"}}));
    }
}

TEST_CASE("a rule by label protects what has the label, and what is made with it", "[offer]") {
    if (!privileged()) return;
    Fixture test({.rules = {{.tool = "*", .label = "env=prod", .action = policy::Action::deny}}});
    REQUIRE(test.host.registry->invoke("container_create",
                                       {{"name", "bob"}, {"labels", {"env=prod"}}}, {}));
    for (const auto* tool : {"container_get", "container_stop", "container_start"}) {
        INFO(tool);
        const auto refused = test.call(tool, {{"name", "bob"}});
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == ErrorCode::denied);
        CHECK(test.call(tool, {{"name", "ada"}}));
    }
    const auto read = test.resources.read("container://bob", test.asked);
    REQUIRE_FALSE(read);
    CHECK(std::get<Error>(read.error()).code == ErrorCode::denied);
    CHECK(test.call("container_create", {{"name", "eve"}, {"labels", {"env=prod"}}}).error().code ==
          ErrorCode::denied);
    CHECK(test.call("container_create", {{"name", "eve"}, {"labels", {"env=dev"}}}));
}

TEST_CASE("a create that takes long is a task, which ends with the container", "[offer]") {
    if (!privileged()) return;
    Fixture test;
    test.asked.client.capabilities = {{"extensions", {{tasks_extension, Json::object()}}}};
    std::atomic<bool> go_on = false;
    test.host.engine.on_call = [&](std::string_view) { go_on.wait(false); };
    auto answer = test.tools.call("container_create", {{"name", "bob"}}, test.asked);
    REQUIRE(answer);
    REQUIRE(std::holds_alternative<Task>(*answer));
    const std::string id = std::get<Task>(*answer).id;
    auto task = test.tasks.get(id, test.asked);
    REQUIRE(task);
    CHECK(task->status == "working");
    Asked stranger = test.asked;
    stranger.call.caller = "token:other";
    CHECK_FALSE(test.tasks.get(id, stranger));
    CHECK_FALSE(test.tasks.cancel(id, stranger));

    go_on = true;
    go_on.notify_all();
    REQUIRE(test.host.registry->invoke("operation_get", {{"id", id}, {"wait_seconds", 50}},
                                       {.caller = "uid:0"}));
    task = test.tasks.get(id, test.asked);
    REQUIRE(task);
    CHECK(task->status == "completed");
    CHECK(std::get<TypedOutput>(task->outcome).value["name"] == "bob");
    CHECK(test.tasks.cancel(id, test.asked));  // it has ended: nothing changes
    CHECK(test.tasks.get("op_00000000000000000000000000", test.asked).error().error.code == -32602);
    CHECK(test.tasks.get("nonsense", test.asked).error().error.code == -32602);
}

TEST_CASE("every tool that changes things can be asked about", "[offer]") {
    if (!privileged()) return;
    Fixture test({.by_default = policy::Action::confirm});
    const std::vector<std::pair<const char*, Json>> calls = {
        {"container_create", {{"name", "bob"}}},
        {"container_delete", {{"name", "ada"}, {"force", true}}},
        {"container_exec", {{"container", "ada"}, {"argv", {"true"}}}},
        {"container_start", {{"name", "ada"}}},
        {"container_stop", {{"name", "ada"}}},
        {"port_add", {{"container", "ada"}, {"container_port", 80}}}};
    for (const auto& [tool, arguments] : calls) {
        INFO(tool);
        const auto refused = test.call(tool, arguments);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == ErrorCode::needs_confirmation);
    }
    CHECK(test.call("container_list", Json::object()));
    CHECK(test.host.remaining() == 1);
}

TEST_CASE("every prompt renders with facts and without a failed call", "[offer]") {
    if (!privileged()) return;
    Fixture test;
    for (const PromptSpec& prompt : prompt_catalogue()) {
        DYNAMIC_SECTION(prompt.name) {
            std::map<std::string, std::string> arguments;
            for (const auto& argument : prompt.arguments) {
                if (argument.required) arguments[std::string(argument.name)] = "ada";
            }
            const auto answer = test.prompts.get(std::string(prompt.name), arguments, test.asked);
            REQUIRE(answer);
            const Json messages = std::get<Json>(*answer)["messages"];
            CHECK(messages.size() == 1 + prompt.inject.size());
            for (const Json& message : messages) {
                const std::string text = message["content"]["text"];
                INFO(text);
                CHECK_FALSE(text.empty());
                CHECK_FALSE(text.contains("{{"));
                CHECK_FALSE(text.contains("invalid_argument: "));
            }
        }
    }
}

TEST_CASE("what the host publishes reaches who watches", "[offer]") {
    if (!privileged()) return;
    Fixture test;
    Hub hub;
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> heard;
    const auto subscription =
        hub.subscribe({.uris = {"container://bob"}}, std::nullopt, [&](const std::string& message) {
            const std::scoped_lock lock(mutex);
            heard.push_back(message);
            changed.notify_all();
        });
    std::atomic<bool> connected = false;
    const BackendWatch watch(
        [&](const std::stop_token& stop, const auto& on_connected, const auto& on_event) {
            const auto events = test.host.events.subscribe(on_event);
            on_connected();
            connected = true;
            connected.notify_all();
            std::mutex nothing;
            std::condition_variable_any never;
            std::unique_lock lock(nothing);
            never.wait(lock, stop, [] { return false; });
        },
        *test.host.registry, hub);
    connected.wait(false);
    REQUIRE(test.host.registry->invoke("container_create", {{"name", "bob"}}, {}));
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !heard.empty(); });
    CHECK(Json::parse(heard.front())["params"]["uri"] == "container://bob");
}
