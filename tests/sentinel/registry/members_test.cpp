// SPDX-License-Identifier: Apache-2.0
#include "tests/sentinel/registry/desk.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::sentinel;
using namespace std::chrono_literals;

TEST_CASE("a registered primary is routed by its name, its aliases and its base domains",
          "[registry]") {
    Desk desk;
    Claim wanted = claim("lab", "Lab.Example.");
    wanted.aliases = {"api.lab.example", "lab.example"};
    wanted.base_domains = {"apps.example"};
    const auto registered = desk.members->claim(wanted);
    REQUIRE(registered);
    CHECK(registered->claim.hostname == "lab.example");
    CHECK(desk.where("lab.example") == "lab at 127.0.0.1:1001");
    CHECK(desk.where("api.lab.example") == "lab at 127.0.0.1:1001");
    CHECK(desk.where("a.b.apps.example") == "lab at 127.0.0.1:1001");
    CHECK(desk.where("apps.example").empty());
    CHECK(desk.where("other.example").empty());
}

TEST_CASE("a ttl lease ends 90 seconds after its last beat, by a clock that nobody sets",
          "[registry]") {
    Desk desk;
    REQUIRE(desk.members->claim(claim("lab", "lab.example")));
    desk.clock.advance(60s);
    REQUIRE(desk.members->beat("lab"));
    desk.clock.set_back(3600s);
    desk.clock.advance(89'999ms);
    CHECK(desk.members->expire() == 1ms);
    CHECK(desk.where("lab.example") == "lab at 127.0.0.1:1001");
    desk.clock.advance(1ms);
    (void)desk.members->expire();
    CHECK(desk.members->list().empty());
    CHECK(desk.members->beat("lab").error().code == ErrorCode::not_found);
    // Its visitors are told that it is away, and go to nobody else.
    CHECK(desk.where("lab.example") == "lab at nowhere");
}

TEST_CASE("a session lease has no time, and ends with its session alone", "[registry]") {
    Desk desk;
    Claim tunnelled = claim("lab", "lab.example");
    tunnelled.destination = TunnelPort{.session = 7, .port = 443};
    tunnelled.lease = Lease::session;
    const auto first = desk.members->claim(tunnelled).value();
    desk.clock.advance(1h);
    (void)desk.members->expire();
    CHECK(desk.where("lab.example") == "lab at tunnel 7 port 443");

    SECTION("a reconnect takes over, and the end of the old session changes nothing") {
        tunnelled.destination = TunnelPort{.session = 8, .port = 443};
        const auto second = desk.members->claim(tunnelled).value();
        CHECK_FALSE(desk.members->release(first.id));
        CHECK(desk.where("lab.example") == "lab at tunnel 8 port 443");
        CHECK(desk.members->release(second.id));
        CHECK(desk.where("lab.example") == "lab at nowhere");
    }
    SECTION("it does not outlive the process, but its names do") {
        desk.restart();
        CHECK(desk.members->list().empty());
        CHECK(desk.where("lab.example") == "lab at nowhere");
        CHECK_FALSE(desk.members->claim(claim("prod", "lab.example")));
        // It is expected until it has come, and not when it has gone again.
        const auto expected = [&] {
            RouteReader reader(*desk.table);
            const RouteReader::Look look(reader);
            return std::get<Nowhere>(look.find("lab.example")->primary).expected;
        };
        CHECK(expected());
        const auto back = desk.members->claim(tunnelled).value();
        CHECK(desk.members->release(back.id));
        CHECK_FALSE(expected());
    }
}

TEST_CASE("a tunnel and a primary that are called alike are two hosts", "[registry]") {
    Desk desk;
    REQUIRE(desk.members->claim(claim("lab", "lab.example")));
    Claim tunnelled = claim("lab", "other.example");
    tunnelled.destination = TunnelPort{.session = 7, .port = 443};
    tunnelled.lease = Lease::session;
    const auto session = desk.members->claim(tunnelled);
    REQUIRE(session);
    CHECK(desk.members->list().size() == 2);
    CHECK(desk.where("lab.example") == "lab at 127.0.0.1:1001");
    // Neither takes the other's names, and neither's coming or going is the other's.
    tunnelled.hostname = "lab.example";
    CHECK(desk.members->claim(tunnelled).error().code == ErrorCode::already_exists);
    REQUIRE(desk.members->claim(claim("lab", "lab.example", "127.0.0.1:1002")));
    CHECK(desk.where("other.example") == "lab at tunnel 7 port 443");
    REQUIRE(desk.members->beat("lab"));
    CHECK(desk.members->release(session->id));
    CHECK(desk.where("lab.example") == "lab at 127.0.0.1:1002");
    desk.restart();
    CHECK(desk.where("lab.example") == "lab at 127.0.0.1:1002");
}

TEST_CASE("what beat before a restart is routed before it beats again", "[registry]") {
    Desk desk;
    Claim wanted = claim("lab", "lab.example");
    wanted.base_domains = {"apps.example"};
    REQUIRE(desk.members->claim(wanted));
    desk.clock.advance(89s);
    desk.restart();
    CHECK(desk.where("lab.example") == "lab at 127.0.0.1:1001");
    CHECK(desk.where("x.apps.example") == "lab at 127.0.0.1:1001");
    desk.clock.advance(89s);
    (void)desk.members->expire();
    CHECK(desk.members->list().size() == 1);
    desk.clock.advance(1s);
    (void)desk.members->expire();
    CHECK(desk.where("lab.example") == "lab at nowhere");
    desk.restart();
    CHECK(desk.members->list().empty());
}

TEST_CASE("a host that registers again says all it wants, and what it left out is free",
          "[registry]") {
    Desk desk;
    Claim wanted = claim("lab", "lab.example");
    wanted.aliases = {"old.example"};
    REQUIRE(desk.members->claim(wanted));
    REQUIRE(desk.members->claim(claim("lab", "lab.example", "127.0.0.1:1002")));
    CHECK(desk.where("lab.example") == "lab at 127.0.0.1:1002");
    CHECK(desk.where("old.example").empty());
    CHECK(desk.members->claim(claim("prod", "old.example")));
    desk.restart();
    CHECK(desk.where("old.example") == "prod at 127.0.0.1:1001");
}

TEST_CASE("a generation that is over is refused and changes nothing", "[registry]") {
    Desk desk;
    Claim wanted = claim("lab", "lab.example");
    wanted.generation = 5;
    REQUIRE(desk.members->claim(wanted));
    Claim late = claim("lab", "lab.example", "127.0.0.1:1002");
    late.generation = 4;
    const auto refused = desk.members->claim(late);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::busy);
    CHECK(refused.error().field == "/generation");
    CHECK(desk.where("lab.example") == "lab at 127.0.0.1:1001");
}

TEST_CASE("a primary that leaves is away at once and keeps its names", "[registry]") {
    Desk desk;
    REQUIRE(desk.members->claim(claim("lab", "lab.example")));
    REQUIRE(desk.members->leave("lab"));
    CHECK(desk.where("lab.example") == "lab at nowhere");
    CHECK(desk.members->leave("lab").error().code == ErrorCode::not_found);
    CHECK_FALSE(desk.members->claim(claim("prod", "lab.example")));
    CHECK(desk.members->claim(claim("lab", "lab.example")));
}

TEST_CASE("a claim that makes no sense names the field", "[registry]") {
    Desk desk;
    Claim wanted = claim("lab", "lab.example");
    std::string field;
    SECTION("a pool") {
        wanted.pool = "Lab_1", field = "/pool";
    }
    SECTION("a name without a pool") {
        wanted.pool = "", field = "/pool";
    }
    SECTION("a host") {
        wanted.host = "../x", field = "/host";
    }
    SECTION("a hostname") {
        wanted.hostname = "127.0.0.1", field = "/hostname";
    }
    SECTION("an alias") {
        wanted.aliases = {"good.example", "no good"}, field = "/aliases/1";
    }
    SECTION("a base domain") {
        wanted.base_domains = {"*.example"}, field = "/base_domains/0";
    }
    SECTION("a base domain of one label, which would be everybody's") {
        wanted.base_domains = {"apps.example", "Com."}, field = "/base_domains/1";
    }
    SECTION("aliases of nothing") {
        wanted.hostname = "", wanted.aliases = {"a.example"}, field = "/hostname";
    }
    const auto refused = desk.members->claim(wanted);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().field == field);
    CHECK(desk.members->list().empty());
    CHECK(desk.members->owners().empty());
}

TEST_CASE("who has no pool and no name is listed and not routed", "[registry]") {
    Desk desk;
    Claim peer{.host = "host-a", .destination = TunnelPort{3, 22}, .lease = Lease::session};
    REQUIRE(desk.members->claim(peer));
    CHECK(desk.members->list().size() == 1);
    CHECK(desk.table->count() == 0);
}

TEST_CASE("what a revoked identity registered is away at once", "[registry]") {
    Desk desk;
    REQUIRE(desk.members->claim(claim("lab", "lab.example")));
    Claim other = claim("prod", "prod.example");
    other.identity = "token:other";
    REQUIRE(desk.members->claim(other));
    desk.members->release_identity("token:test");
    CHECK(desk.where("lab.example") == "lab at nowhere");
    CHECK(desk.where("prod.example") == "prod at 127.0.0.1:1001");
}
