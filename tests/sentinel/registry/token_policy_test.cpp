// SPDX-License-Identifier: Apache-2.0
#include "base/files.h"
#include "tests/sentinel/registry/desk.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::sentinel;

namespace {

using Strings = std::vector<std::string>;

TokenPolicy::Configured rules(const std::string& text) {
    return {.tokens = parse_token_rules(text).value(), .certificates = {}};
}

}  // namespace

TEST_CASE("a rule binds a token to pools", "[tokens]") {
    const auto rule = TokenRule::parse("secret-1= lab , prod,lab").value();
    CHECK(rule.token == "secret-1");
    CHECK(rule.pools == Strings{"lab", "prod"});
    CHECK(TokenRule::parse("secret-1=*").value().pools == Strings{"*"});
    for (const auto* wrong : {"", "secret-1", "secret-1=", "=lab", "short=lab", "secret-1=lab,",
                              "secret-1=La b", "secret 1=lab"}) {
        CAPTURE(wrong);
        const auto refused = TokenRule::parse(wrong);
        REQUIRE_FALSE(refused);
        CHECK_FALSE(refused.error().message.contains("secret"));
    }
    const auto file = parse_token_rules("# comment\n\nsecret-1=lab\r\n  secret-2=*\n").value();
    CHECK(file.size() == 2);
    CHECK(parse_token_rules("secret-1=lab\nwrong\n").error().message.starts_with("line 2: "));
}

TEST_CASE("a token is for its pools and no others", "[tokens]") {
    Desk desk;
    REQUIRE(desk.policy->configure(rules("secret-1=lab\nsecret-1=prod\nsecret-2=*\n")));
    struct Case {
        const char* token;
        const char* pool;
        bool good;
    };
    for (const auto& [token, pool, good] :
         {Case{"secret-1", "lab", true}, Case{"secret-1", "prod", true},
          Case{"secret-1", "other", false}, Case{"secret-1", "", false},
          Case{"secret-2", "lab", true}, Case{"secret-2", "", true}, Case{"secret-3", "lab", false},
          Case{"", "lab", false}}) {
        CAPTURE(token, pool);
        CHECK(desk.policy->authorize(token, pool).has_value() == good);
    }
    CHECK(desk.policy->authorize("secret-3", "lab").error().message == "invalid token");
    CHECK(desk.policy->authorize("secret-1", "x").error().message ==
          "token not authorized for pool \"x\"");
}

TEST_CASE("a token made at run time outlives the process, and is not to be found in its files",
          "[tokens]") {
    Desk desk;
    const auto token = desk.policy->create("ci", {"lab"}).value();
    CHECK(desk.policy->authorize(token, "lab").value().id == "token:ci");
    CHECK(desk.policy->create("ci", {"prod"}).error().code == ErrorCode::already_exists);
    CHECK(desk.policy->create("CI", {"prod"}).error().field == "/id");
    CHECK(desk.policy->create("x", {"lab", "La b"}).error().field == "/pools/1");
    desk.restart();
    CHECK(desk.policy->authorize(token, "lab"));
    for (const auto& file : std::filesystem::directory_iterator(desk.directory.path())) {
        CHECK_FALSE(read_file(file.path(), 16'000'000).value().contains(token));
    }
}

TEST_CASE("a revoked token is refused at once and for ever", "[tokens]") {
    Desk desk;
    Strings told;
    desk.policy->on_revoked([&](const std::string& identity) { told.push_back(identity); });
    const auto token = desk.policy->create("ci", {"lab"}).value();
    REQUIRE(desk.policy->revoke("ci"));
    CHECK(told == Strings{"token:ci"});
    CHECK_FALSE(desk.policy->authorize(token, "lab"));
    CHECK_FALSE(desk.policy->is_valid("token:ci"));
    CHECK(desk.policy->revoke("ci").error().code == ErrorCode::not_found);
    CHECK(desk.policy->create("ci", {"lab"}).error().code == ErrorCode::already_exists);

    SECTION("also when the command line has it") {
        REQUIRE(desk.policy->configure(rules("secret-1=lab\n")));
        REQUIRE(desk.policy->revoke(desk.policy->list().at(0).id));
        CHECK_FALSE(desk.policy->authorize("secret-1", "lab"));
        desk.restart();
        REQUIRE(desk.policy->configure(rules("secret-1=lab\n")));
        CHECK_FALSE(desk.policy->authorize("secret-1", "lab"));
    }
}

TEST_CASE("what another process revokes is taken up, and those who listen are told", "[tokens]") {
    Desk desk;
    const auto token = desk.policy->create("ci", {"lab"}).value();
    const auto rule = rules("secret-1=lab\n");
    REQUIRE(desk.policy->configure(rule));
    const auto other = TokenPolicy::open(*desk.database, desk.clock).value();
    REQUIRE(other->configure(rule));
    Strings told;
    other->on_revoked([&](const std::string& identity) { told.push_back(identity); });
    REQUIRE(other->catch_up());
    CHECK(told.empty());
    const std::string configured = desk.policy->authorize("secret-1", "lab").value().id;
    REQUIRE(desk.policy->revoke("ci"));
    REQUIRE(desk.policy->revoke(configured.substr(configured.find(':') + 1)));
    CHECK(other->authorize(token, "lab"));
    REQUIRE(other->catch_up());
    CHECK(told == Strings{"token:ci", configured});
    CHECK_FALSE(other->authorize(token, "lab"));
    CHECK_FALSE(other->authorize("secret-1", "lab"));
    REQUIRE(other->catch_up());
    CHECK(told.size() == 2);
}

TEST_CASE("ten thousand tokens are listed and found in milliseconds", "[tokens]") {
    Desk desk;
    std::string text;
    for (std::size_t at = 0; at < credentials_max; ++at) {
        text += "secret-" + std::to_string(at) + "=lab\n";
    }
    const auto begun = std::chrono::steady_clock::now();
    REQUIRE(desk.policy->configure(rules(text)));
    const auto all = desk.policy->list();
    CHECK(all.size() == credentials_max);
    for (int turn = 0; turn < 5; ++turn) CHECK(desk.policy->list().size() == credentials_max);
    CHECK(desk.policy->get(all[77].id).value().digest == all[77].digest);
    for (std::size_t at = 0; at < 1000; ++at) {
        REQUIRE(desk.policy->authorize("secret-" + std::to_string(at), "lab"));
        REQUIRE(desk.policy->is_valid("token:" + all[at].id));
    }
    // With every token compared with every other it takes minutes.
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
}

TEST_CASE("what the configuration has no more is ended", "[tokens]") {
    Desk desk;
    REQUIRE(desk.policy->configure(rules("secret-1=lab,prod\nsecret-2=lab\nsecret-3=lab\n")));
    Strings told;
    desk.policy->on_revoked([&](const std::string& identity) { told.push_back(identity); });
    REQUIRE(desk.policy->configure(rules("secret-1=lab\nsecret-2=*\n")));
    CHECK(told.size() == 2);  // the one that lost a pool, and the one that is gone
    CHECK(desk.policy->authorize("secret-2", "prod"));
    CHECK_FALSE(desk.policy->authorize("secret-3", "lab"));
}

TEST_CASE("a certificate is bound to pools as a token is", "[tokens]") {
    Desk desk;
    const std::string fingerprint(64, 'a');
    REQUIRE(desk.policy->configure({.tokens = {}, .certificates = {{fingerprint, {"lab"}}}}));
    CHECK(desk.policy->authorize_certificate(fingerprint, "lab"));
    CHECK_FALSE(desk.policy->authorize_certificate(fingerprint, "prod"));
    CHECK_FALSE(desk.policy->authorize_certificate(std::string(64, 'b'), "lab"));
    CHECK_FALSE(desk.policy->authorize(fingerprint, "lab"));
}
