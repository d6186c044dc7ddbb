// SPDX-License-Identifier: Apache-2.0
#include "sentinel/tools/sentinel_tools.h"

#include "tests/sentinel/registry/desk.h"
#include "tests/support/catch.h"
#include "tools-schema/contract/error_table.h"
#include "tools-schema/registry/tool_spec.h"

#include <algorithm>
#include <vector>

using namespace berth;
using namespace berth::sentinel;

namespace {

/// A sentinel with two pools and one token, as the examples of the tools know it.
struct Furnished final : StatusSource {
    Furnished() {
        Claim lab = claim("lab", "lab.example");
        lab.base_domains = {"apps.example"};
        (void)desk.members->claim(lab).value();
        (void)desk.members->claim(claim("prod", "prod.example")).value();
        (void)desk.policy->create("used", {"lab"}).value();
        bind_sentinel_tools(registry, *this, *desk.policy);
    }
    [[nodiscard]] Status look(const Identity& who) override {
        Status status;
        for (const auto& one : desk.members->list()) {
            if (who.may(one.claim.pool)) status.registrations.emplace_back(one, health(one));
        }
        for (const auto& [name, pool] : desk.members->owners())
            status.names.emplace_back(name, pool);
        status.static_pools = static_pools;
        return status;
    }
    [[nodiscard]] Health health(const Registration& registration) override {
        if (registration.claim.pool == "lab") return {};
        return {.healthy = false, .reason = "does not answer"};
    }

    Desk desk;
    ToolRegistry registry;
    std::vector<StaticPoolStatus> static_pools = {};
};

/// Whether an answer has what an example shows of it.
void check_shows(const Json& shown, const Json& answer) {
    if (shown.is_object()) {
        REQUIRE(answer.is_object());
        for (const auto& [key, value] : shown.items()) {
            CAPTURE(key);
            REQUIRE(answer.contains(key));
            check_shows(value, answer.at(key));
        }
    } else if (shown.is_array()) {
        REQUIRE(answer.is_array());
        REQUIRE(answer.size() == shown.size());
        for (std::size_t at = 0; at < shown.size(); ++at) check_shows(shown[at], answer[at]);
    } else {
        CHECK(shown == answer);
    }
}

}  // namespace

TEST_CASE("every example of every tool of the sentinel does what it says", "[tools]") {
    for (const auto& tool : tool_catalogue()) {
        if (!is_of_sentinel(tool)) continue;
        const auto examples = parse_json(tool.examples).value();
        for (const auto& example : examples) {
            DYNAMIC_SECTION(tool.name << ": " << example.at("says").get<std::string>()) {
                Furnished sentinel;
                const auto answer =
                    sentinel.registry.invoke(tool.name, example.at("arguments"), {});
                if (example.contains("error")) {
                    REQUIRE_FALSE(answer);
                    CHECK(error_info(answer.error().code).name ==
                          example.at("error").get<std::string>());
                    CHECK(answer.error().field == example.value("field", ""));
                } else {
                    INFO((answer ? "" : answer.error().message));
                    REQUIRE(answer);
                    check_shows(example.at("result"), *answer);
                }
            }
        }
    }
}

TEST_CASE("a token is in the answer that makes it, and works until it is revoked", "[tools]") {
    Furnished sentinel;
    const Json wish{{"id", "ci"}, {"pools", {"lab"}}};
    Json rehearsed = wish;
    rehearsed["dry_run"] = true;
    REQUIRE(sentinel.registry.invoke("token_create", rehearsed, {}));
    CHECK(sentinel.desk.policy->list().size() == 1);
    const auto made = sentinel.registry.invoke("token_create", wish, {}).value();
    const std::string token = made.at("token");
    CHECK(sentinel.desk.policy->authorize(token, "lab"));
    REQUIRE(sentinel.registry.invoke("token_revoke", Json{{"id", "ci"}}, {}));
    CHECK_FALSE(sentinel.desk.policy->authorize(token, "lab"));
}

TEST_CASE("a host that does not answer says why", "[tools]") {
    Furnished sentinel;
    const auto hosts = sentinel.registry.invoke("host_list", Json{{"pool", "prod"}}, {}).value();
    CHECK(hosts.at("hosts").at(0).at("healthy") == false);
    CHECK(hosts.at("hosts").at(0).at("reason") == "does not answer");
}

TEST_CASE("a pool of the file of routes is told of as one with a registered host is", "[tools]") {
    Furnished sentinel;
    sentinel.static_pools = {{.pool = "old",
                              .destination = "192.0.2.9:443",
                              .health = {.healthy = false, .reason = "does not accept"}}};
    const Json host{{"pool", "old"},     {"host", ""},       {"destination", "192.0.2.9:443"},
                    {"lease", "static"}, {"healthy", false}, {"reason", "does not accept"}};
    CHECK(sentinel.registry.invoke("host_list", Json{{"pool", "old"}}, {}).value().at("hosts") ==
          Json::array({host}));
    const auto pool = sentinel.registry.invoke("pool_get", Json{{"pool", "old"}}, {}).value();
    CHECK(pool.at("hosts") == Json::array({host}));
    const auto pools =
        sentinel.registry.invoke("pool_list", Json::object(), {}).value().at("pools");
    CHECK(std::ranges::count(
              pools, Json{{"name", "old"}, {"hosts", 1}, {"healthy", 0}, {"names", 0}}) == 1);
}
