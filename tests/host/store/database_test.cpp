// SPDX-License-Identifier: Apache-2.0
// What the database promises to every repository: durability settings, migration, honest errors.
#include "host/store/database.h"

#include "host/store/migrations.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <thread>

using namespace berth;
using namespace berth::store;

namespace {

struct Opened {
    TemporaryDirectory directory = {};
    std::filesystem::path path = directory.path() / "berth.db";
    std::unique_ptr<Database> database = Database::open(path).value();

    void reopen() {
        database.reset();
        database = Database::open(path).value();
    }
    [[nodiscard]] Value first(std::string_view sql) const {
        return database->run(sql).value().at(0).at(0);
    }
    void make_table() const {
        REQUIRE(database->run("CREATE TABLE t (a INTEGER UNIQUE, b TEXT) STRICT"));
    }
};

}  // namespace

TEST_CASE("a new database is private, durable, and of the newest schema") {
    const Opened opened;
    struct stat status{};
    REQUIRE(::stat(opened.path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    CHECK(text(opened.first("PRAGMA journal_mode")) == "wal");
    CHECK(integer(opened.first("PRAGMA synchronous")) == 2);  // FULL
    CHECK(integer(opened.first("PRAGMA foreign_keys")) == 1);
    CHECK(opened.database->schema_version() == static_cast<std::int64_t>(migrations().size()));
}

TEST_CASE("values come back as they were bound, whatever they hold") {
    const Opened opened;
    opened.make_table();
    const std::string awkward("a'; DROP TABLE t; --\0\xc3\xa9", 24);
    REQUIRE(opened.database->run("INSERT INTO t VALUES (?, ?)", {std::int64_t{-7}, awkward}));
    REQUIRE(opened.database->run("INSERT INTO t VALUES (?, ?)", {nullptr, ""}));
    const auto rows = opened.database->run("SELECT a, b FROM t ORDER BY a DESC").value();
    REQUIRE(rows.size() == 2);
    CHECK(rows[0] == Row{std::int64_t{-7}, awkward});
    CHECK(rows[1] == Row{nullptr, std::string()});
}

TEST_CASE("a broken UNIQUE constraint names its column") {
    const Opened opened;
    opened.make_table();
    REQUIRE(opened.database->run("INSERT INTO t VALUES (1, 'x')"));
    const auto again = opened.database->run("INSERT INTO t VALUES (1, 'y')");
    REQUIRE_FALSE(again);
    CHECK(again.error().code == ErrorCode::already_exists);
    CHECK(again.error().field == "t.a");
}

TEST_CASE("a transaction that fails leaves nothing behind, and one that succeeds all of it") {
    Opened opened;
    opened.make_table();
    const auto failed = opened.database->transact([&]() -> Result<> {
        BERTH_TRY(opened.database->run("INSERT INTO t VALUES (1, 'lost')"));
        return fail(ErrorCode::busy, "the second step fails");
    });
    REQUIRE_FALSE(failed);
    CHECK(failed.error().message == "the second step fails");
    const auto succeeded = opened.database->transact([&]() -> Result<> {
        BERTH_TRY(opened.database->run("INSERT INTO t VALUES (2, 'kept')"));
        BERTH_TRY(opened.database->run("INSERT INTO t VALUES (3, 'kept')"));
        return {};
    });
    REQUIRE(succeeded);
    opened.reopen();
    CHECK(integer(opened.first("SELECT sum(a) FROM t")) == 5);
}

TEST_CASE("a transaction within a transaction is refused, and the outer one is undone") {
    const Opened opened;
    opened.make_table();
    const auto outer = opened.database->transact([&]() -> Result<> {
        BERTH_TRY(opened.database->run("INSERT INTO t VALUES (1, 'x')"));
        return opened.database->transact([]() -> Result<> { return {}; });
    });
    REQUIRE_FALSE(outer);
    CHECK(outer.error().code == ErrorCode::internal);
    CHECK(integer(opened.first("SELECT count(*) FROM t")) == 0);
}

TEST_CASE("text that is not exactly one statement is refused") {
    const Opened opened;
    opened.make_table();
    CHECK_FALSE(opened.database->run("SELECT 1; DROP TABLE t"));
    CHECK_FALSE(opened.database->run("SELECT ?"));
    CHECK_FALSE(opened.database->run("SELEKT 1"));
    CHECK(opened.database->run("SELECT count(*) FROM t"));
}

TEST_CASE("a database of a newer berth is refused with both versions, and stays as it is") {
    Opened opened;
    REQUIRE(opened.database->run("PRAGMA user_version = 4711"));
    opened.database.reset();
    const auto refused = Database::open(opened.path);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::unsupported);
    CHECK(refused.error().message.contains("4711"));
    CHECK(refused.error().message.contains(std::to_string(migrations().size())));
    CHECK_FALSE(Database::open(opened.path));
}

TEST_CASE("a file that is no database, and a directory that is not there, are told apart") {
    const TemporaryDirectory directory;
    directory.write("berth.db", std::string(8192, 'x'));
    const auto damaged = Database::open(directory.path() / "berth.db");
    REQUIRE_FALSE(damaged);
    CHECK(damaged.error().code == ErrorCode::unavailable);
    CHECK(damaged.error().message.contains("damaged"));
    const auto missing = Database::open(directory.path() / "nowhere" / "berth.db");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == ErrorCode::not_found);
}

TEST_CASE("a full database says that space is missing, and works again when there is some") {
    const Opened opened;
    opened.make_table();
    const auto pages = integer(opened.first("PRAGMA page_count"));
    const std::string big(1'000'000, 'x');
    REQUIRE(opened.database->run("PRAGMA max_page_count = " + std::to_string(pages)));
    const auto refused = opened.database->run("INSERT INTO t VALUES (1, ?)", {big});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::quota_exceeded);
    REQUIRE(opened.database->run("PRAGMA max_page_count = 100000"));
    CHECK(opened.database->run("INSERT INTO t VALUES (1, ?)", {big}));
}

TEST_CASE("a disk that refuses a write is unavailable, and no part of the transaction stays") {
    const Opened opened;
    opened.make_table();
    (void)std::signal(SIGXFSZ, SIG_IGN);  // write(2) then fails with EFBIG
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const rlimit small{.rlim_cur = 1'000'000, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const auto refused = opened.database->transact([&]() -> Result<> {
        BERTH_TRY(opened.database->run("INSERT INTO t VALUES (1, 'small')"));
        const std::string big(8'000'000, 'x');
        BERTH_TRY(opened.database->run("INSERT INTO t VALUES (2, ?)", {big}));
        return {};
    });
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::unavailable);
    CHECK(integer(opened.first("SELECT count(*) FROM t")) == 0);
    CHECK(opened.database->run("INSERT INTO t VALUES (3, 'works again')"));
}

TEST_CASE("reading does not wait for a transaction, and sees what was committed", "[store]") {
    const Opened opened;
    opened.make_table();
    REQUIRE(opened.database->run("INSERT INTO t VALUES (1, 'kept')"));
    std::int64_t seen_inside = 0, seen_outside = 0;
    const auto count = [&] {
        return integer(opened.database->read("SELECT COUNT(*) FROM t").value().at(0).at(0));
    };
    REQUIRE(opened.database->transact([&]() -> Result<> {
        if (auto added = opened.database->run("INSERT INTO t VALUES (2, 'new')"); !added)
            return fail(added.error());
        seen_inside = count();
        std::jthread([&] { seen_outside = count(); }).join();  // would hang if it waited
        return {};
    }));
    CHECK(seen_inside == 2);
    CHECK(seen_outside == 1);
    CHECK(count() == 2);
}

TEST_CASE("the connection for reading changes nothing", "[store]") {
    const Opened opened;
    opened.make_table();
    CHECK_FALSE(opened.database->read("INSERT INTO t VALUES (1, 'x')"));
}

TEST_CASE("a rehearsal answers as the transaction would, and keeps nothing", "[store]") {
    const Opened opened;
    opened.make_table();
    const auto insert = [&]() -> Result<> {
        BERTH_TRY(opened.database->run("INSERT INTO t VALUES (1, 'x')"));
        return {};
    };
    REQUIRE(opened.database->rehearse(insert));
    REQUIRE(opened.database->rehearse(insert));
    CHECK(opened.database->read("SELECT * FROM t").value().empty());
    REQUIRE(opened.database->transact(insert));
    CHECK(opened.database->rehearse(insert).error().code == ErrorCode::already_exists);
    CHECK(opened.database->read("SELECT * FROM t").value().size() == 1);
}
