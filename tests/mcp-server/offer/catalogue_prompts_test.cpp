// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/catalogue_prompts.h"

#include "tests/mcp-server/offer/told_host.h"
#include "tests/support/catch.h"

#include <array>

using namespace berth;
using namespace berth::mcp;

namespace {

constexpr std::array arguments = {
    PromptArgument{.name = "container", .description = "Which one", .required = true},
    PromptArgument{.name = "image", .description = "Of what", .fallback = "any image"}};
constexpr std::array injections = {
    PromptInjection{.tool = "container_get", .arguments = R"({"name":"{{container}}","limit":7})"},
    PromptInjection{.tool = "system_info", .arguments = "{}"}};
constexpr std::array prompts = {PromptSpec{.name = "check",
                                           .title = "Check it",
                                           .description = "Checks a container",
                                           .arguments = arguments,
                                           .inject = injections,
                                           .text = "Look at {{container}} of {{image}}. {x}"}};

struct Fixture {
    ToldHost host;
    CataloguePrompts all{host, prompts};
    Asked asked = plain_request();

    Fixture() {
        host.gives("container_get", {{"name", "ada"}, {"state", "running"}});
        host.gives("system_info", {{"version", "1"}});
    }
    DataAnswer get(const std::map<std::string, std::string>& given) {
        return all.get("check", given, asked);
    }
};

std::vector<std::string> texts_of(const DataAnswer& answer) {
    std::vector<std::string> texts;
    if (!answer) return texts;
    for (const Json& message : std::get<Json>(*answer).at("messages")) {
        CHECK(message.at("role") == "user");
        CHECK(message.at("content").at("type") == "text");
        texts.push_back(message.at("content").at("text"));
    }
    return texts;
}

}  // namespace

TEST_CASE("each prompt is listed with what it asks for") {
    ToldHost host;
    const CataloguePrompts all(host, prompts);
    CHECK(all.entries() == Json::parse(R"([{"name":"check","title":"Check it",
        "description":"Checks a container","arguments":[
        {"name":"container","description":"Which one","required":true},
        {"name":"image","description":"Of what","required":false}]}])"));
}

TEST_CASE("a prompt is its text with the values in it, and then what its tools answer") {
    Fixture test;
    const auto texts = texts_of(test.get({{"container", "ada"}, {"image", "debian-12"}}));
    REQUIRE(texts.size() == 3);
    CHECK(texts[0] == "Look at ada of debian-12. {x}");
    CHECK(texts[1].starts_with("container_get "));
    CHECK(texts[1].contains("state: running"));
    CHECK(texts[2].contains("version: 1"));
    CHECK(test.host.invoked()[0].arguments == Json{{"name", "ada"}, {"limit", 7}});
    CHECK(test.host.invoked()[1].arguments == Json::object());
}

TEST_CASE("a value is text and stands for nothing else") {
    Fixture test;
    const auto texts = texts_of(test.get({{"container", R"({{image}}"},{"a":1)"}, {"image", "x"}}));
    CHECK(texts[0] == R"(Look at {{image}}"},{"a":1 of x. {x})");
    CHECK(test.host.invoked()[0].arguments["name"] == R"({{image}}"},{"a":1)");
}

TEST_CASE("what is left out has its fallback") {
    Fixture test;
    const auto texts = texts_of(test.get({{"container", "ada"}}));
    CHECK(texts[0] == "Look at ada of any image. {x}");
    CHECK(test.host.invoked()[0].arguments == Json{{"name", "ada"}, {"limit", 7}});
}

TEST_CASE("arguments that do not fit are all named") {
    Fixture test;
    const auto wrong = test.get({{"imge", "x"}, {"image", std::string(5000, 'x')}});
    REQUIRE(fault_code(wrong) == -32602);
    const auto& error = std::get<Fault>(wrong.error()).error;
    for (const auto* name : {"container", "image", "imge"}) {
        CHECK(error.message.contains(name));
    }
    CHECK(error.data["problems"].size() == 3);
    CHECK(fault_code(test.all.get("nosuch", {}, test.asked)) == -32602);
    CHECK(test.host.invoked().empty());
}

TEST_CASE("a prompt works when its tools do not") {
    Fixture test;
    SECTION("because berthd is away") {
        test.host.down = true;
        const auto texts = texts_of(test.get({{"container", "ada"}}));
        REQUIRE(texts.size() == 3);
        CHECK(texts[1].contains("unavailable: berthd: nothing listens"));
        CHECK(texts[1].contains("next: start berthd"));
    }
    SECTION("because the client may not call them") {
        test.asked.client.tools = only({"system_info"});
        const auto texts = texts_of(test.get({{"container", "ada"}}));
        REQUIRE(texts.size() == 3);
        CHECK(texts[1].contains("denied"));
        CHECK(texts[2].contains("version: 1"));
        CHECK(test.host.invoked_tools() == std::vector<std::string>{"system_info"});
    }
}
