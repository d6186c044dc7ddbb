// SPDX-License-Identifier: Apache-2.0
#include "tests/sentinel/registry/desk.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <atomic>

using namespace berth;
using namespace berth::sentinel;

namespace {

using Strings = std::vector<std::string>;

Result<> put_static(Desk& desk, const std::string& text) {
    const auto file = RoutesFile::parse(text, desk.settings).value();
    return desk.members->replace_static(file.list());
}

}  // namespace

TEST_CASE("a name has one owner: a second claim is refused and remembered as a warning",
          "[registry]") {
    Desk desk;
    REQUIRE(desk.members->claim(claim("prod", "shop.example")));
    Claim second = claim("lab", "lab.example");
    second.aliases = {"SHOP.example"};
    const auto refused = desk.members->claim(second);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::already_exists);
    CHECK(refused.error().field == "/aliases/0");
    CHECK(desk.where("shop.example") == "prod at 127.0.0.1:1001");
    CHECK(desk.where("lab.example").empty());
    REQUIRE_FALSE(desk.members->claim(second));
    desk.restart();
    const auto warnings = desk.warnings->list().value();
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].entity == "hostname/shop.example");
    CHECK(warnings[0].count == 2);
}

TEST_CASE("an administrator gives a name to another pool", "[registry]") {
    Desk desk;
    REQUIRE(desk.members->claim(claim("prod", "shop.example")));
    REQUIRE_FALSE(desk.members->claim(claim("lab", "shop.example", "127.0.0.1:1002")));
    REQUIRE(desk.members->transfer("Shop.example", "lab"));
    CHECK(desk.where("shop.example") == "lab at nowhere");
    CHECK(desk.warned().empty());
    REQUIRE(desk.members->claim(claim("lab", "shop.example", "127.0.0.1:1002")));
    CHECK(desk.where("shop.example") == "lab at 127.0.0.1:1002");
    // The pool that had it goes on with beats for what it registered, and gets it back by no claim.
    REQUIRE(desk.members->beat("prod"));
    REQUIRE_FALSE(desk.members->claim(claim("prod", "shop.example")));
    desk.restart();
    CHECK(desk.where("shop.example") == "lab at 127.0.0.1:1002");

    SECTION("or to nobody") {
        REQUIRE(desk.members->transfer("shop.example", ""));
        CHECK(desk.where("shop.example").empty());
        CHECK(desk.members->transfer("shop.example", "").error().code == ErrorCode::not_found);
        CHECK(desk.members->claim(claim("prod", "shop.example")));
    }
    SECTION("or before anybody asks") {
        REQUIRE(desk.members->transfer("*.new.example", "lab"));
        CHECK(desk.where("x.new.example") == "lab at nowhere");
        CHECK_FALSE(desk.members->claim(claim("prod", "x.new.example")));
    }
}

TEST_CASE("names below a pool's base domain are that pool's", "[registry]") {
    Desk desk;
    Claim prod = claim("prod", "prod.example");
    prod.base_domains = {"apps.example"};
    REQUIRE(desk.members->claim(prod));
    CHECK_FALSE(desk.members->claim(claim("lab", "x.apps.example")));
    CHECK_FALSE(desk.members->claim(claim("lab", "y.x.apps.example")));
    CHECK(desk.members->claim(claim("lab", "apps.example", "127.0.0.1:1002")));
    CHECK(desk.where("x.apps.example") == "prod at 127.0.0.1:1001");
    CHECK(desk.where("apps.example") == "lab at 127.0.0.1:1002");
}

TEST_CASE("two hosts of a pool do not take names from each other while both live", "[registry]") {
    Desk desk;
    const auto first = desk.members->claim(claim("lab", "lab.example")).value();
    Claim second = claim("lab", "lab.example", "127.0.0.1:1002");
    second.host = "second";
    CHECK_FALSE(desk.members->claim(second));
    CHECK(desk.members->release(first.id));
    CHECK(desk.members->claim(second));
    CHECK(desk.where("lab.example") == "lab at 127.0.0.1:1002");
}

TEST_CASE("what a host claimed last and leaves out is free, though it was away meanwhile",
          "[registry]") {
    Desk desk;
    const bool restarted = GENERATE(false, true);
    CAPTURE(restarted);
    Claim host = claim("lab", "lab.example");
    host.host = "one";
    host.destination = TunnelPort{.session = 5, .port = 443};
    host.lease = Lease::session;
    host.aliases = {"old.example", "shared.example"};
    const auto first = desk.members->claim(host);
    REQUIRE(first);
    CHECK(desk.members->release(first->id));
    Claim other = host;
    other.host = "two";
    other.hostname = "shared.example";
    other.aliases = {};
    REQUIRE(desk.members->claim(other));
    if (restarted) desk.restart();
    host.aliases = {};
    REQUIRE(desk.members->claim(host));
    CHECK(desk.where("lab.example") == "lab at tunnel 5 port 443");
    CHECK(desk.where("old.example").empty());
    // Another host of the pool has claimed this one since.
    CHECK(desk.members->owners().at("shared.example") == "lab");
    CHECK(desk.members->owners().size() == 2);
    CHECK(desk.members->claim(claim("prod", "old.example")));
    desk.restart();
    CHECK(desk.members->owners().size() == 3);
}

TEST_CASE("a pool that has all the names it may have registers again", "[registry]") {
    Desk desk;
    Claim wanted = claim("lab", "");
    wanted.lease = Lease::session;
    for (std::size_t host = 0; host < names_per_pool_max / names_per_claim_max; ++host) {
        wanted.host = "host" + std::to_string(host);
        wanted.hostname = wanted.host + ".example";
        wanted.destination = TunnelPort{.session = host + 1, .port = 443};
        wanted.aliases.clear();
        for (std::size_t at = 1; at < names_per_claim_max; ++at) {
            wanted.aliases.push_back("a" + std::to_string(at) + "." + wanted.hostname);
        }
        REQUIRE(desk.members->claim(wanted));
    }
    CHECK(desk.members->claim(wanted));
    Claim more = claim("lab", "more.example");
    CHECK(desk.members->claim(more).error().code == ErrorCode::quota_exceeded);
    wanted.aliases.pop_back();
    REQUIRE(desk.members->claim(wanted));
    CHECK(desk.members->claim(more));
}

TEST_CASE("static routes and registrations stand together", "[registry]") {
    Desk desk;
    REQUIRE(put_static(desk, "static.example 127.0.0.1:1 file\n*.file.example 127.0.0.1:1 file\n"));
    REQUIRE(desk.members->claim(claim("lab", "lab.example")));
    CHECK(desk.where("static.example") == "file at 127.0.0.1:1");
    CHECK(desk.where("lab.example") == "lab at 127.0.0.1:1001");
    CHECK_FALSE(desk.members->claim(claim("prod", "static.example")));
    CHECK_FALSE(desk.members->claim(claim("prod", "x.file.example")));

    SECTION("a new file leaves registrations where they are") {
        REQUIRE(put_static(desk, "other.example 127.0.0.1:2\n"));
        CHECK(desk.where("static.example").empty());
        CHECK(desk.where("lab.example") == "lab at 127.0.0.1:1001");
    }
    SECTION("the file's word counts first, and is a warning as long as it hides a registration") {
        REQUIRE(put_static(desk, "lab.example 127.0.0.1:2 file\n"));
        CHECK(desk.where("lab.example") == "file at 127.0.0.1:2");
        const Strings warned = desk.warned();
        CHECK(std::ranges::find(warned, "static_route hostname/lab.example") != warned.end());
        REQUIRE(desk.members->claim(claim("lab", "lab.example", "127.0.0.1:1002")));
        CHECK(desk.where("lab.example") == "file at 127.0.0.1:2");
        REQUIRE(put_static(desk, ""));
        CHECK(desk.where("lab.example") == "lab at 127.0.0.1:1002");
        CHECK(desk.warned().size() == warned.size() - 1);
    }
}

TEST_CASE("the default pool may be a registered one, and never takes an owned name", "[registry]") {
    Desk desk({.default_pool = "prod"});
    CHECK(desk.where("any.example") == "prod at nowhere");
    const auto lab = desk.members->claim(claim("lab", "lab.example")).value();
    REQUIRE(desk.members->claim(claim("prod", "prod.example", "127.0.0.1:1002")));
    CHECK(desk.where("any.example") == "prod at 127.0.0.1:1002");
    CHECK(desk.members->release(lab.id));
    CHECK(desk.where("lab.example") == "lab at nowhere");
    REQUIRE(desk.members->leave("prod"));
    CHECK(desk.where("any.example") == "prod at nowhere");
    REQUIRE(put_static(desk, "s.example 127.0.0.1:9 prod\n"));
    CHECK(desk.where("any.example") == "prod at 127.0.0.1:9");
    REQUIRE(put_static(desk, ""));
    CHECK(desk.where("any.example") == "prod at nowhere");
}

TEST_CASE("a peer without a hostname gets none of the default pool's visitors", "[registry]") {
    Desk desk({.default_pool = "prod"});
    Claim peer{.pool = "prod",
               .host = "a-peer",
               .destination = TunnelPort{.session = 5, .port = 0},
               .lease = Lease::session};
    REQUIRE(desk.members->claim(peer));
    CHECK(desk.where("any.example") == "prod at nowhere");
    Claim host = peer;
    host.host = "host";
    host.hostname = "prod.example";
    host.destination = TunnelPort{.session = 6, .port = 443};
    REQUIRE(desk.members->claim(host));
    peer.host = "later-peer";
    peer.destination = TunnelPort{.session = 7, .port = 0};
    REQUIRE(desk.members->claim(peer));
    CHECK(desk.where("any.example") == "prod at tunnel 6 port 443");
    REQUIRE(desk.members->claim(claim("prod", "www.example")));
    CHECK(desk.where("any.example") == "prod at 127.0.0.1:1001");
}

TEST_CASE("no visitor finds a table without a default while static routes change", "[registry]") {
    Desk desk({.default_pool = "prod"});
    REQUIRE(desk.members->claim(claim("prod", "prod.example")));
    std::atomic<bool> over = false;
    std::atomic<std::size_t> looks = 0, missing = 0;
    std::thread visitor([&] {
        RouteReader reader(*desk.table);
        while (!over) {
            const RouteReader::Look look(reader);
            if (look.default_pool() == nullptr) ++missing;
            ++looks;
        }
    });
    for (int turn = 0; turn < 200 || looks < 1000; ++turn) {
        CHECK(put_static(desk, turn % 2 == 0 ? "s.example 127.0.0.1:9 file\n" : ""));
    }
    over = true;
    visitor.join();
    CHECK(missing == 0);
    CHECK(desk.where("any.example") == "prod at 127.0.0.1:1001");
}
