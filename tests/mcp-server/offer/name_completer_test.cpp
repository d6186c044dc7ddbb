// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/name_completer.h"

#include "mcp-server/offer/host_resources.h"
#include "tests/mcp-server/offer/told_host.h"
#include "tests/support/catch.h"

#include <fmt/format.h>

using namespace berth;
using namespace berth::mcp;

namespace {

struct FakePrompts final : PromptSet {
    Json all = Json::array({{{"name", "check"},
                             {"arguments",
                              {{{"name", "container"}},
                               {{"name", "image"}},
                               {{"name", "gpu"}},
                               {{"name", "pool"}},
                               {{"name", "port"}}}}},
                            {{"name", "bare"}}});
    [[nodiscard]] const Json& entries() const override { return all; }
    DataAnswer get(const std::string&, const std::map<std::string, std::string>&,
                   const Asked&) override {
        return Json::object();
    }
};

struct Fixture {
    ToldHost host;
    FakePrompts prompts;
    HostResources resources{host};
    NameCompleter completer{host, prompts, resources};
    Asked asked = plain_request();

    Fixture() {
        host.has_containers({"ada", "adam", "bob", "canada"});
        host.gives("system_info", {{"images", {{{"name", "debian-12"}}, {{"name", "alpine"}}}}});
        host.gives("gpu_list", {{"gpus", {{{"address", "0000:41:00.0"}}}}});
        host.has_warnings({{{"id", "wn_1"}}, {{"id", "wn_2"}}});
    }

    std::expected<Completion, Fault> of_prompt(const char* prompt, const std::string& argument,
                                               const std::string& begun) {
        return completer.complete({{"type", "ref/prompt"}, {"name", prompt}}, argument, begun,
                                  Json::object(), asked);
    }
    std::expected<Completion, Fault> of_template(const std::string& uri,
                                                 const std::string& argument,
                                                 const std::string& begun) {
        return completer.complete({{"type", "ref/resource"}, {"uri", uri}}, argument, begun,
                                  Json::object(), asked);
    }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("names that begin so come before names that have it elsewhere") {
    CHECK(matching({"canada", "bob", "adam", "ada"}, "ada") == Names{"ada", "adam", "canada"});
    CHECK(matching({"b", "a"}, "") == Names{"a", "b"});
    CHECK(matching({"b", "a"}, "x").empty());
}

TEST_CASE("each kind of name is completed from what the host has") {
    Fixture test;
    CHECK(test.of_prompt("check", "container", "ada")->values == Names{"ada", "adam", "canada"});
    CHECK(test.of_prompt("check", "container", "ada")->total == 3);
    CHECK(test.of_prompt("check", "image", "")->values == Names{"alpine", "debian-12"});
    CHECK(test.of_prompt("check", "gpu", "41")->values == Names{"0000:41:00.0"});
    CHECK(test.of_prompt("check", "pool", "")->values.empty());
    CHECK(test.of_prompt("check", "port", "")->values.empty());
    CHECK(test.of_template("container://{name}", "name", "b")->values == Names{"bob"});
    CHECK(test.of_template("log://{name}", "name", "b")->values == Names{"bob"});
    CHECK(test.of_template("warning://{id}", "id", "")->values == Names{"wn_1", "wn_2"});
}

TEST_CASE("more names than one answer of berthd has are all counted") {
    Fixture test;
    Names names;
    for (int i = 0; i < 2500; ++i) names.push_back(fmt::format("c{:04}", i));
    test.host.has_containers(names);
    const auto completion = test.of_prompt("check", "container", "c");
    REQUIRE(completion);
    CHECK(completion->total == 2500);
}

TEST_CASE("a reference to nothing is refused and says what is wrong") {
    Fixture test;
    CHECK(test.of_prompt("nosuch", "container", "").error().error.code == -32602);
    CHECK(test.of_prompt("check", "colour", "").error().error.message ==
          "prompt 'check' has no argument 'colour'");
    CHECK(test.of_prompt("bare", "container", "").error().error.code == -32602);
    CHECK(test.of_template("nosuch://{name}", "name", "").error().error.code == -32602);
    CHECK(test.of_template("log://{name}", "nam", "").error().error.code == -32602);
    CHECK(test.completer.complete({{"type", "other"}}, "name", "", Json::object(), test.asked)
              .error()
              .error.code == -32602);
    CHECK(test.completer.complete(Json::array(), "name", "", Json::object(), test.asked)
              .error()
              .error.code == -32602);
}

TEST_CASE("what cannot be looked up has no completions") {
    Fixture test;
    SECTION("because berthd is away") {
        test.host.down = true;
    }
    SECTION("because the client may not see it") {
        test.asked.client.tools = only({});
    }
    for (const auto* argument : {"container", "image", "gpu"}) {
        const auto completion = test.of_prompt("check", argument, "");
        REQUIRE(completion);
        CHECK(completion->values.empty());
        CHECK(completion->total == 0);
    }
    CHECK(test.of_template("warning://{id}", "id", "")->values.empty());
}
