// SPDX-License-Identifier: Apache-2.0
// What happens to a warning between the first time somebody notices something and the day after it
// is over.
#include "host/warning/warnings.h"

#include "tests/host/warning/book.h"

#include <thread>

using namespace berth;
using namespace berth::warning;
using namespace std::chrono_literals;
using store::WarningStatus;

TEST_CASE("what is raised again is one warning with a higher count and the newest message") {
    Book book;
    book.raise("host", "first");
    const auto first = book.only();
    CHECK(first.id.starts_with("wn_"));
    CHECK(first.count == 1);
    CHECK(first.status == WarningStatus::fresh);
    CHECK(first.first_seen == first.last_seen);
    book.clock.moved = 5min;
    book.raise("host", "second", Severity::critical);
    const auto second = book.only();
    CHECK(second.id == first.id);
    CHECK(second.count == 2);
    CHECK(second.message == "second");
    CHECK(second.severity == Severity::critical);
    CHECK(second.first_seen == first.first_seen);
    CHECK(second.last_seen > first.last_seen);
    book.raise("container/ada");
    CHECK(book.listed() == 2);
}

TEST_CASE("what was raised survives kill -9") {
    Book book;
    book.raise("host");
    const auto before = book.only();
    book.restart();
    CHECK(book.only().id == before.id);
    book.warnings->resolve("made_up", "host");
    book.restart();
    CHECK(book.only().status == WarningStatus::resolved);
}

TEST_CASE("an acknowledged warning stays hidden while its count rises, also across a restart") {
    Book book;
    book.raise("host");
    const auto id = book.only().id;
    CHECK(book.warnings->count_new().value() == 1);
    CHECK(book.warnings->acknowledge(id).value().status == WarningStatus::acknowledged);
    CHECK(book.warnings->acknowledge(id).value().count == 1);
    book.raise("host");
    CHECK(book.listed() == 0);
    book.restart();
    book.raise("host");
    CHECK(book.listed() == 0);
    CHECK(book.warnings->count_new().value() == 0);
    CHECK(book.only().id == id);
    CHECK(book.only().count == 3);
}

TEST_CASE("a deleted warning comes back with a new id and a count of one") {
    Book book;
    book.raise("host");
    book.raise("host");
    const auto id = book.only().id;
    CHECK(book.warnings->remove(id).value().count == 2);
    CHECK(book.listed() == 0);
    CHECK(book.warnings->entities().empty());
    book.raise("host");
    CHECK(book.only().id != id);
    CHECK(book.only().count == 1);
}

TEST_CASE("an unknown id is not found") {
    Book book;
    const auto id = random_id();
    for (const auto& error : {book.warnings->get(id).error(), book.warnings->remove(id).error(),
                              book.warnings->acknowledge(id).error()}) {
        CHECK(error.code == ErrorCode::not_found);
        CHECK(error.field == "/id");
        CHECK_FALSE(error.hint.empty());
    }
}

TEST_CASE("what is over is marked so, and vanishes 24 hours later") {
    Book book;
    book.raise("host");
    book.warnings->resolve("made_up", "host");
    const auto over = book.only();
    CHECK(over.status == WarningStatus::resolved);
    CHECK(book.warnings->count_new().value() == 0);
    CHECK(book.warnings->entities().empty());
    const auto refused = book.warnings->acknowledge(over.id);
    CHECK(refused.error().code == ErrorCode::invalid_argument);
    CHECK(refused.error().field == "/action");
    book.clock.moved = 24h - 1s;
    CHECK(book.only().id == over.id);
    book.clock.moved = 24h;
    SECTION("from the list") {
        CHECK(book.warnings->list({.acknowledged = true}).value().total == 0);
    }
    SECTION("by its id") {
        CHECK_FALSE(book.warnings->get(over.id));
    }
    SECTION("and is another one when it is raised again") {
        book.raise("host");
        CHECK(book.only().id != over.id);
        CHECK(book.only().count == 1);
    }
    book.heard.wait_for("deleted", over.id);
}

TEST_CASE("what is wrong again after it was over is the same warning, and new") {
    Book book;
    book.raise("host");
    const auto id = book.only().id;
    REQUIRE(book.warnings->acknowledge(id));
    book.warnings->resolve("made_up", "host");
    book.raise("host");
    CHECK(book.only().id == id);
    CHECK(book.only().status == WarningStatus::fresh);
    CHECK(book.only().count == 2);
    book.clock.moved = 48h;
    CHECK(book.only().id == id);
}

TEST_CASE("resolving what is not known does nothing") {
    Book book;
    book.warnings->resolve("made_up", "host");
    book.warnings->resolve_all("host");
    CHECK(book.listed() == 0);
    book.raise("host");
    book.warnings->resolve("another", "host");
    CHECK(book.only().status == WarningStatus::fresh);
}

TEST_CASE("everything about an entity is over at once") {
    Book book;
    book.raise("container/ada");
    book.warnings->raise(
        {.type = "another", .entity = "container/ada", .message = "it broke", .next = "mend it"});
    book.raise("container/bob");
    CHECK(book.warnings->entities() == std::set<std::string>{"container/ada", "container/bob"});
    CHECK(book.warnings->entities("another") == std::set<std::string>{"container/ada"});
    book.warnings->resolve_all("container/ada");
    CHECK(book.warnings->entities() == std::set<std::string>{"container/bob"});
    CHECK(book.warnings->count_new().value() == 1);
}

TEST_CASE("every change is told, when it is in the store") {
    Book book;
    book.raise("host");
    const auto id = book.only().id;
    book.heard.wait_for("raised", id);
    REQUIRE(book.warnings->acknowledge(id));
    book.heard.wait_for("acknowledged", id);
    book.warnings->resolve("made_up", "host");
    book.heard.wait_for("resolved", id);
    REQUIRE(book.warnings->remove(id));
    book.heard.wait_for("deleted", id);
}

TEST_CASE("a store that cannot be written fails nobody") {
    Book book;
    book.raise("host");
    REQUIRE(book.database->run("ALTER TABLE warnings RENAME TO away"));
    book.raise("host");
    book.warnings->resolve("made_up", "host");
    book.warnings->resolve_all("host");
    CHECK(book.warnings->entities().empty());
    CHECK_FALSE(book.warnings->list({}));
    REQUIRE(book.database->run("ALTER TABLE away RENAME TO warnings"));
    CHECK(book.only().count == 1);
}

TEST_CASE("there are never more than the bound, and what is over goes first") {
    Book book;
    book.options.kept_max = 2;
    book.restart();
    book.raise("container/a");
    book.raise("container/b");
    book.warnings->resolve("made_up", "container/b");
    book.clock.moved = 1s;
    book.raise("container/c");
    CHECK(book.warnings->entities() == std::set<std::string>{"container/a", "container/c"});
    CHECK(book.listed() == 2);
    book.clock.moved = 2s;
    book.raise("container/d");
    CHECK(book.warnings->entities() == std::set<std::string>{"container/c", "container/d"});
}

TEST_CASE("a text that is too long is cut, and no character is cut in half") {
    Book book;
    const std::string message(text_bytes_max - 1, 'x');
    book.raise("host", message + "\xc3\xa4\xc3\xa4");
    CHECK(book.only().message == message);
}

TEST_CASE("threads that raise at once are all counted") {
    Book book;
    {
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 4; ++thread) {
            threads.emplace_back([&book] {
                for (int i = 0; i < 25; ++i) book.raise("host");
            });
        }
    }
    CHECK(book.only().count == 100);
}
