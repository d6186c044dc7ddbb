// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/gate.h"

#include "mcp-server/offer/catalogue_tools.h"
#include "tests/mcp-server/offer/told_host.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::mcp;

namespace {

class FakeClock final : public Clock {
public:
    std::chrono::system_clock::time_point now =
        std::chrono::sys_days(std::chrono::November / 22 / 2026);
    [[nodiscard]] std::chrono::system_clock::time_point wall() const override { return now; }
    [[nodiscard]] std::chrono::steady_clock::time_point steady() const override { return {}; }
};

policy::Policy policy_of(policy::PolicySettings settings) {
    auto policy = policy::Policy::of(std::move(settings));
    REQUIRE(policy);
    return *policy;
}

policy::PolicySettings confirm_deletes(
    policy::ConfirmFallback fallback = policy::ConfirmFallback::token) {
    return {.tools = {{"container_delete", policy::Action::confirm}}, .confirm_fallback = fallback};
}

/// A host with one container, a gate in front of it, and the tools behind that.
struct Fixture {
    ToldHost host;
    FakeClock clock;
    policy::Policy policy;
    policy::ConfirmTokens tokens{auth::SealKey::random(), clock};
    Gate gate{host, policy, tokens, clock};
    CatalogueTools tools{host, gate};
    Asked asked = plain_request();
    std::string state = "sha256:1";
    Json labels = Json::array({"env=prod"});
    int deleted = 0;

    explicit Fixture(policy::PolicySettings settings) : policy(policy_of(std::move(settings))) {
        asked.call.caller = asked.client.principal = "token:ci";
        host.tools["container_delete"] = [this](const Json& arguments,
                                                const Call& call) -> Result<Json> {
            if (arguments.value("dry_run", false)) {
                return Json{
                    {"dry_run", true},
                    {"would", "delete container 'ada' (running, 2 ports)"},
                    {"target", {{"name", "ada"}, {"image", "debian-12"}, {"labels", labels}}},
                    {"state", state}};
            }
            if (!call.expected_state.empty() && call.expected_state != state) {
                return fail(ErrorCode::busy, "the target has changed since it was looked at");
            }
            ++deleted;
            return Json{{"name", arguments.at("name")}};
        };
    }

    void can_show_forms(Era era = Era::modern) {
        asked.client.era = era;
        asked.client.capabilities = {{"elicitation", Json::object()}};
    }
    ToolAnswer call(const Json& arguments = {{"name", "ada"}}) {
        return tools.call("container_delete", arguments, asked);
    }
    /// What the client is to ask, which is then as if answered.
    InputRequired question(const ToolAnswer& answer) {
        REQUIRE(answer);
        REQUIRE(std::holds_alternative<InputRequired>(*answer));
        auto question = std::get<InputRequired>(*answer);
        asked.state = question.state;
        return question;
    }
    void answers(const Json& response) { asked.responses = {{"confirm", response}}; }
    void agrees() { answers({{"action", "accept"}, {"content", {{"confirm", true}}}}); }
};

std::string token_of(const Error& error) {
    return error.data.empty() ? "" : Json::parse(error.data).value("confirm_token", "");
}

Json output_of(const ToolAnswer& answer) {
    if (!answer || !std::holds_alternative<TypedOutput>(*answer)) return {};
    return std::get<TypedOutput>(*answer).value;
}

}  // namespace

TEST_CASE("what the policy allows is called at once and as it was asked for") {
    Fixture test({});
    test.asked.call.deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
    CHECK(output_of(test.call({{"name", "ada"}, {"confirm_token", "x"}}))["name"] == "ada");
    REQUIRE(test.host.invoked().size() == 1);
    const auto made = test.host.invoked().front();
    CHECK(made.arguments == Json{{"name", "ada"}});
    CHECK(made.call.caller == "token:ci");
    CHECK(made.call.deadline == test.asked.call.deadline);
    CHECK(made.call.expected_state.empty());
}

TEST_CASE("what the policy denies never reaches the host") {
    Fixture test({.tools = {{"container_delete", policy::Action::deny}}});
    test.can_show_forms();
    const Json arguments = GENERATE(Json{{"name", "ada"}}, Json{{"name", "ada"}, {"dry_run", true}},
                                    Json{{"name", "ada"}, {"confirm_token", "x"}});
    const auto error = error_of(test.call(arguments));
    CHECK(error.code == ErrorCode::denied);
    CHECK(error.message ==
          "container_delete was not done: policy.tools has container_delete = 'deny'");
    CHECK_FALSE(error.hint.empty());
    CHECK(test.host.invoked().empty());
}

TEST_CASE("a dry run is not asked about") {
    Fixture test(confirm_deletes());
    CHECK(output_of(test.call({{"name", "ada"}, {"dry_run", true}}))["dry_run"] == true);
    CHECK(test.deleted == 0);
}

TEST_CASE("a client that can show a form is given one that says what would be lost") {
    Fixture test(confirm_deletes());
    test.can_show_forms(GENERATE(Era::legacy, Era::modern));
    const auto question = test.question(test.call({{"name", "ada"}, {"request_id", "r1"}}));
    REQUIRE(question.requests.size() == 1);
    const Json& request = question.requests.at("confirm");
    CHECK(request["method"] == "elicitation/create");
    const std::string message = request["params"]["message"];
    CHECK(message.contains("delete container 'ada' (running, 2 ports)"));
    CHECK(message.contains("cannot be brought back"));
    CHECK(message.contains(R"({"name":"ada","request_id":"r1"})"));
    CHECK(request["params"]["requestedSchema"]["properties"]["confirm"]["type"] == "boolean");
    CHECK(request["params"]["requestedSchema"]["required"] == Json::array({"confirm"}));
    CHECK(test.host.invoked().front().arguments == Json{{"name", "ada"}, {"dry_run", true}});
    CHECK(test.deleted == 0);
}

TEST_CASE("a form shows the names of variables and no value") {
    Fixture test(confirm_deletes());
    test.can_show_forms();
    const auto question = test.question(
        test.call({{"name", "ada"}, {"env", {"TOKEN=s3cret=x", "EMPTY=", "s3cret", 7}}}));
    const std::string message = question.requests.at("confirm")["params"]["message"];
    CHECK(message.contains(R"("env":["TOKEN=…","EMPTY=…","s3cret=…",7])"));
    CHECK_FALSE(message.contains("=s3cret"));
}

TEST_CASE("a yes makes the call on the state that was shown") {
    Fixture test(confirm_deletes());
    test.can_show_forms(GENERATE(Era::legacy, Era::modern));
    (void)test.question(test.call());
    test.agrees();
    SECTION("when it is still that") {
        CHECK(output_of(test.call())["name"] == "ada");
        CHECK(test.deleted == 1);
        CHECK(test.host.invoked().back().call.expected_state == "sha256:1");
        SECTION("and not a second time: then it asks again") {
            test.state = "sha256:2";
            const auto again = test.question(test.call());
            CHECK(again.state["state"] == "sha256:2");
            CHECK(test.deleted == 1);
        }
    }
    SECTION("and fails when it is another by now") {
        test.state = "sha256:2";
        CHECK(error_of(test.call()).code == ErrorCode::busy);
        CHECK(test.deleted == 0);
    }
}

TEST_CASE("anything but a yes does nothing and says so") {
    Fixture test(confirm_deletes());
    test.can_show_forms();
    (void)test.question(test.call());
    test.answers(GENERATE(Json{{"action", "decline"}}, Json{{"action", "cancel"}},
                          Json{{"action", "accept"}},
                          Json{{"action", "accept"}, {"content", {{"confirm", false}}}},
                          Json{{"action", "accept"}, {"content", {{"confirm", "true"}}}},
                          Json{{"action", "accept"}, {"content", {{"confirm", 1}}}},
                          Json{{"action", "accept"}, {"content", true}},
                          Json{{"action", "decline"}, {"content", {{"confirm", true}}}}));
    const Json output = output_of(test.call());
    CHECK(output["done"] == false);
    CHECK(output["message"].get<std::string>().starts_with("Nothing was done: "));
    CHECK(test.deleted == 0);
}

TEST_CASE("without an answer to its own question it asks again") {
    Fixture test(confirm_deletes());
    test.can_show_forms();
    SECTION("because none was asked yet") {
        test.agrees();
    }
    SECTION("because the answer is to another or is none") {
        (void)test.question(test.call());
        test.asked.responses =
            GENERATE(Json(nullptr), Json::object(), Json{{"user_name", {{"action", "accept"}}}},
                     Json{{"confirm", 12345}}, Json{{"confirm", {{"action", "maybe"}}}},
                     Json{{"confirm", {{"content", {{"confirm", true}}}}}});
    }
    SECTION("because what it kept is not what was given out") {
        const Json state = GENERATE(
            Json::object(), Json{{"state", "sha256:1"}}, Json{{"state", ""}, {"nonce", "x"}},
            Json{{"state", "sha256:1"}, {"nonce", "of another process"}}, Json{{"nonce", 1}});
        test.asked.state = state;
        test.agrees();
    }
    (void)test.question(test.call());
    CHECK(test.deleted == 0);
}

TEST_CASE("an answer given to one server process is none in another") {
    Fixture one(confirm_deletes());
    one.can_show_forms();
    (void)one.question(one.call());
    one.agrees();
    Fixture other(confirm_deletes());
    other.asked = one.asked;
    (void)other.question(other.call());
    CHECK(other.deleted == 0);
}

TEST_CASE("a client that cannot ask is refused with a preview and a token") {
    Fixture test(confirm_deletes());
    test.asked.client.capabilities =
        GENERATE(Json::object(), Json{{"elicitation", {{"url", Json::object()}}}},
                 Json{{"elicitation", true}}, Json{{"sampling", Json::object()}});
    const auto error = error_of(test.call());
    CHECK(error.code == ErrorCode::needs_confirmation);
    CHECK(error.message.contains("delete container 'ada' (running, 2 ports)"));
    CHECK(error.message.contains("cannot be brought back"));
    CHECK_FALSE(token_of(error).empty());
    CHECK(error.hint.contains(token_of(error)));
    CHECK(Json::parse(error.data)["target"]["name"] == "ada");
    CHECK(test.deleted == 0);
}

TEST_CASE("a token makes the same call go through, once, on the same state") {
    Fixture test(confirm_deletes());
    const auto token = token_of(error_of(test.call()));
    const Json confirmed = {{"name", "ada"}, {"confirm_token", token}};

    SECTION("and is not passed on") {
        CHECK(output_of(test.call(confirmed))["name"] == "ada");
        CHECK(test.host.invoked().back().arguments == Json{{"name", "ada"}});
        CHECK(test.host.invoked().back().call.expected_state == "sha256:1");
        CHECK(test.deleted == 1);
    }
    SECTION("not twice") {
        (void)test.call(confirmed);
        const auto error = error_of(test.call(confirmed));
        CHECK(error.code == ErrorCode::needs_confirmation);
        CHECK(error.message.contains("used before"));
        CHECK(token_of(error) != token);
        CHECK(test.deleted == 1);
    }
    SECTION("not when the target has changed") {
        test.state = "sha256:2";
        CHECK(error_of(test.call(confirmed)).code == ErrorCode::busy);
        CHECK(test.deleted == 0);
    }
    SECTION("not late") {
        test.clock.now += std::chrono::hours(1);
        CHECK(error_of(test.call(confirmed)).message.contains("has expired"));
        CHECK(test.deleted == 0);
    }
    SECTION("not for other arguments, and not for somebody else") {
        Json other = confirmed;
        other["force"] = true;
        CHECK(error_of(test.call(other)).code == ErrorCode::needs_confirmation);
        test.asked.client.principal = "token:other";
        CHECK(error_of(test.call(confirmed)).code == ErrorCode::needs_confirmation);
        CHECK(test.deleted == 0);
    }
    SECTION("and what is no token makes nothing go through") {
        for (const Json& wrong : {Json(""), Json("v1.e30.x"), Json(7), Json(nullptr), Json(true)}) {
            CHECK(error_of(test.call({{"name", "ada"}, {"confirm_token", wrong}})).code ==
                  ErrorCode::needs_confirmation);
        }
        CHECK(test.deleted == 0);
    }
}

TEST_CASE("where the operator wants no tokens, a client that cannot ask is denied") {
    Fixture test(confirm_deletes(policy::ConfirmFallback::deny));
    CHECK(error_of(test.call()).code == ErrorCode::denied);
    CHECK(error_of(test.call({{"name", "ada"}, {"confirm_token", "x"}})).code == ErrorCode::denied);
    CHECK(test.host.invoked().empty());
    test.can_show_forms();
    (void)test.question(test.call());
}

TEST_CASE("without a preview there is no call") {
    Fixture test(confirm_deletes());
    if (GENERATE(true, false)) test.can_show_forms();
    SECTION("because berthd is away") {
        test.host.down = true;
        CHECK(error_of(test.call()).code == ErrorCode::unavailable);
    }
    SECTION("because the call would fail anyhow") {
        test.host.fails("container_delete", make_error(ErrorCode::not_found, "no container 'ada'"));
        CHECK(error_of(test.call()).code == ErrorCode::not_found);
    }
    SECTION("because what answers does not know dry runs") {
        test.host.gives("container_delete",
                        GENERATE(Json{{"name", "ada"}}, Json{{"would", "delete it"}},
                                 Json{{"would", "delete it"}, {"state", ""}},
                                 Json{{"state", "sha256:1"}}, Json("deleted")));
        CHECK(error_of(test.call()).code == ErrorCode::denied);
    }
    for (const auto& one : test.host.invoked()) CHECK(one.arguments["dry_run"] == true);
}

TEST_CASE("a label of the target decides") {
    Fixture test(
        {.rules = {{.tool = "container_*", .label = "env=prod", .action = policy::Action::deny}}});
    SECTION("what has it is protected") {
        CHECK(error_of(test.call()).code == ErrorCode::denied);
        CHECK(test.deleted == 0);
    }
    SECTION("what does not is not") {
        test.labels = Json::array({"env=dev"});
        CHECK(output_of(test.call())["name"] == "ada");
    }
    SECTION("what cannot be looked at is not touched") {
        test.host.down = true;
        CHECK(error_of(test.call()).code == ErrorCode::unavailable);
    }
    SECTION("a target of which nobody says its labels is protected") {
        test.host.gives(
            "container_stop",
            {{"would", "stop it"}, {"target", {{"id", "op_1"}}}, {"state", "sha256:0"}});
        CHECK(error_of(test.tools.call("container_stop", {{"name", "ada"}}, test.asked)).code ==
              ErrorCode::denied);
    }
    SECTION("a container that is to be made has the labels that it is to get") {
        test.host.gives("container_create",
                        {{"would", "create it"}, {"target", nullptr}, {"state", "sha256:0"}});
        const auto made = [&](const Json& labels) {
            return test.tools.call("container_create", {{"name", "bob"}, {"labels", labels}},
                                   test.asked);
        };
        CHECK(error_of(made({"env=prod"})).code == ErrorCode::denied);
        CHECK(made({"env=dev"}).has_value());
    }
    SECTION("a tool that only reads is looked up by the container it names") {
        test.host.gives("container_get",
                        {{"name", "ada"}, {"image", "i"}, {"labels", test.labels}});
        CHECK(error_of(test.tools.call("container_get", {{"name", "ada"}}, test.asked)).code ==
              ErrorCode::denied);
        test.host.gives("container_get", {{"name", "ada"}, {"image", "i"}});
        CHECK(test.tools.call("container_get", {{"name", "ada"}}, test.asked).has_value());
        test.host.gives("container_list", {{"containers", Json::array()}});
        CHECK(test.tools.call("container_list", Json::object(), test.asked).has_value());
    }
}

TEST_CASE("what a person is shown stays on its lines and short") {
    Fixture test(confirm_deletes());
    test.can_show_forms();
    const auto question = test.question(
        test.call({{"name", "ada\nYes, this is safe\x1b[2J" + std::string(9000, 'x')}}));
    const std::string message = question.requests["confirm"]["params"]["message"];
    CHECK(std::ranges::count(message, '\n') == 2);
    CHECK_FALSE(message.contains('\x1b'));
    CHECK(message.size() < 3000);
    CHECK(message.contains("more bytes"));
}

TEST_CASE("callers with nobody to ask pass the same gate") {
    Fixture test(confirm_deletes());
    GatedInvoker invoker(test.host, test.gate);
    Call call{.caller = "uid:7"};
    const auto refused = invoker.invoke("container_delete", {{"name", "ada"}}, call);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::needs_confirmation);
    CHECK(test.deleted == 0);
    const Json confirmed = {{"name", "ada"}, {"confirm_token", token_of(refused.error())}};
    call.caller = "uid:8";
    CHECK_FALSE(invoker.invoke("container_delete", confirmed, call));
    call.caller = "uid:7";
    CHECK(invoker.invoke("container_delete", confirmed, call));
    CHECK(test.deleted == 1);

    test.host.gives("container_list", Json::object());
    CHECK(invoker.invoke("container_list", Json::object(), call));
    CHECK(invoker.invoke("container_delete", Json::array(), call).error().code ==
          ErrorCode::invalid_argument);
    CHECK(invoker.invoke("nosuch", Json::object(), call).error().code == ErrorCode::not_found);
}
