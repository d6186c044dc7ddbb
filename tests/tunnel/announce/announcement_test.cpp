// SPDX-License-Identifier: Apache-2.0
#include "tunnel/announce/announcement.h"

#include "tests/support/catch.h"

using namespace berth;
using namespace berth::tunnel;
using namespace std::chrono_literals;

namespace {

using Word = Announcement::Word;
using Kind = AnnouncerNews::Kind;

constexpr std::uint64_t ours = 7;
const Announcement::Moment start{1h};
const Announcement::Answer done = std::optional(ours);

Announcement::Answer refused(ErrorCode code, std::string message = "no") {
    return fail(code, std::move(message));
}

Announcement fresh() {
    return {ours, 30s, 1};
}

Announcement registered() {
    Announcement one = fresh();
    REQUIRE(one.answered(done, start));
    return one;
}

}  // namespace

TEST_CASE("a primary registers at once, and beats from then on", "[announce]") {
    Announcement one = fresh();
    CHECK(one.next() == Word::enter);
    CHECK(one.due() <= start);
    const auto news = one.answered(done, start);
    REQUIRE(news);
    CHECK(news->kind == Kind::registered);
    CHECK(one.registered());
    for (auto now = start; now < start + 10min; now += 30s) {
        CHECK(one.next() == Word::beat);
        CHECK(one.due() == now + 30s);
        CHECK_FALSE(one.answered(done, now + 30s));
    }
}

TEST_CASE("a registry that has forgotten a primary is told of it again at once", "[announce]") {
    Announcement one = registered();
    const auto news = one.answered(refused(ErrorCode::not_found), start + 30s);
    REQUIRE(news);
    CHECK(news->kind == Kind::failed);
    CHECK(one.next() == Word::enter);
    CHECK(one.due() == start + 30s);
    CHECK(one.answered(done, start + 31s)->kind == Kind::registered);
}

TEST_CASE("a registry that is not there is asked again and again, and told once", "[announce]") {
    Announcement one = registered();
    auto now = start + 30s;
    REQUIRE(one.answered(refused(ErrorCode::unavailable), now));
    for (int turn = 0; turn < 20; ++turn) {
        CHECK(one.next() == Word::beat);  // it may still know this host
        CHECK(one.due() > now);
        CHECK(one.due() <= now + 1500ms);
        now = one.due();
        CHECK_FALSE(one.answered(refused(ErrorCode::unavailable), now));
    }
    const auto other = one.answered(refused(ErrorCode::timed_out, "no answer"), now);
    REQUIRE(other);
    CHECK(other->why->message == "no answer");
    const auto news = one.answered(done, now);
    REQUIRE(news);
    CHECK(news->kind == Kind::registered);
    CHECK(one.due() == now + 30s);
}

TEST_CASE("a primary that is refused waits longer each time, and asks to be registered anew",
          "[announce]") {
    const auto code = GENERATE(ErrorCode::denied, ErrorCode::already_exists, ErrorCode::not_found,
                               ErrorCode::invalid_argument);
    Announcement one = fresh();
    auto now = start;
    for (int turn = 0; turn < 12; ++turn) {
        (void)one.answered(refused(code), now);
        CHECK(one.next() == Word::enter);
        CHECK(one.due() > now);
        CHECK(one.due() <= now + 45s);
        now = one.due();
    }
    const auto before = now;
    (void)one.answered(refused(code), now);
    CHECK(one.due() >= before + 15s);
}

TEST_CASE("a token that is revoked makes no registration any more", "[announce]") {
    Announcement one = registered();
    CHECK(one.answered(refused(ErrorCode::denied), start + 30s));
    CHECK_FALSE(one.registered());
    CHECK(one.next() == Word::enter);
}

TEST_CASE("a beat that is answered with another host's registration is none of ours",
          "[announce]") {
    Announcement one = registered();
    const auto news = one.answered(std::optional(ours + 1), start + 30s);
    REQUIRE(news);
    CHECK(news->why->message.contains("another host"));
    CHECK_FALSE(one.registered());
    CHECK(one.next() == Word::enter);
    CHECK(one.due() > start + 30s);
    SECTION("and one that does not say whose it is, is") {
        CHECK(one.answered(std::optional<std::uint64_t>(), start + 31s)->kind == Kind::registered);
    }
}

TEST_CASE("what is registered is what the registry takes", "[announce]") {
    CHECK(claim_body({.pool = "lab",
                      .hostname = "lab.test",
                      .aliases = {"a.test"},
                      .base_domains = {"apps.test"},
                      .ip = "192.0.2.1",
                      .port = 8443,
                      .generation = ours}) ==
          R"({"pool":"lab","hostname":"lab.test","port":8443,"aliases":["a.test"],)"
          R"("base_domains":["apps.test"],"ip":"192.0.2.1","generation":7})");
    CHECK(claim_body({.pool = "lab", .hostname = "lab.test"}) ==
          R"({"pool":"lab","hostname":"lab.test","port":443,"generation":0})");
}

TEST_CASE("an answer of the registry is read, whatever it is", "[announce]") {
    CHECK(
        read_registry_answer({.status = 201, .body = R"({"pool":"lab","generation":7})"}).value() ==
        ours);
    CHECK_FALSE(read_registry_answer({.status = 200, .body = "{}"}).value());
    CHECK_FALSE(read_registry_answer({.status = 204}).value());
    const auto conflict = read_registry_answer(
        {.status = 409,
         .body =
             R"({"error":"is taken","code":"already_exists","field":"/hostname","next":"ask"})"});
    CHECK(conflict.error().code == ErrorCode::already_exists);
    CHECK(conflict.error().message == "is taken");
    CHECK(conflict.error().field == "/hostname");
    CHECK(conflict.error().hint == "ask");
    for (const auto& [status, code] :
         {std::pair(401, ErrorCode::denied), std::pair(403, ErrorCode::denied),
          std::pair(404, ErrorCode::not_found), std::pair(302, ErrorCode::invalid_argument),
          std::pair(503, ErrorCode::unavailable)}) {
        CAPTURE(status);
        const auto answer = read_registry_answer({.status = status, .body = "<html>"});
        CHECK(answer.error().code == code);
        CHECK(answer.error().message.contains(std::to_string(status)));
    }
}
