// SPDX-License-Identifier: Apache-2.0
// The table of warnings, on a real database file.
#include "host/store/warnings.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <fmt/format.h>

using namespace berth;
using namespace berth::store;

namespace {

constexpr auto later = "2026-01-02T00:00:00.000Z";

struct Store {
    TemporaryDirectory directory = {};
    std::unique_ptr<Database> database = Database::open(directory.path() / "berth.db").value();
    Warnings warnings{*database};

    /// The `n`th, of its own container and newer than the one before.
    Warning raise(int n, WarningStatus status = WarningStatus::fresh,
                  Severity severity = Severity::warning) {
        const auto made = warnings.raise(seen(n, severity)).value();
        if (status == WarningStatus::acknowledged)
            return warnings.acknowledge(made.id).value().value();
        if (status == WarningStatus::resolved)
            return warnings.resolve(made.type, made.entity, at(n)).value().value();
        return made;
    }
    static std::string at(int n) { return fmt::format("2026-01-02T00:00:{:02}.000Z", n); }
    static Warning seen(int n, Severity severity = Severity::warning) {
        return {.id = fmt::format("wn_{:026}", n),
                .type = "made_up",
                .severity = severity,
                .entity = fmt::format("container/c{}", n),
                .last_seen = fmt::format("2026-01-01T00:00:{:02}.000Z", n),
                .message = "it 'broke'",
                .next = "mend it"};
    }
};

/// Which of them these are.
std::vector<int> numbers(const std::vector<Warning>& warnings) {
    std::vector<int> out;
    for (const auto& one : warnings) out.push_back(std::stoi(one.id.substr(3)));
    return out;
}

}  // namespace

TEST_CASE("a warning comes back whole after the database is opened again") {
    Store store;
    const auto made = store.raise(7, WarningStatus::resolved, Severity::critical);
    store.database.reset();
    const auto reopened = Database::open(store.directory.path() / "berth.db").value();
    const auto found = Warnings(*reopened).find(made.id).value();
    REQUIRE(found);
    CHECK(found->type == "made_up");
    CHECK(found->severity == Severity::critical);
    CHECK(found->entity == "container/c7");
    CHECK(found->count == 1);
    CHECK(found->first_seen == Store::seen(7).last_seen);
    CHECK(found->last_seen == Store::seen(7).last_seen);
    CHECK(found->message == "it 'broke'");
    CHECK(found->next == "mend it");
    CHECK(found->status == WarningStatus::resolved);
    CHECK(found->resolved_at == Store::at(7));
}

TEST_CASE("there is one row for a type and an entity, which counts and has what was said last") {
    Store store;
    const auto first = store.raise(1);
    auto again = Store::seen(2, Severity::error);
    again.entity = first.entity;
    again.message = "worse";
    const auto second = store.warnings.raise(again).value();
    CHECK(second.id == first.id);
    CHECK(second.count == 2);
    CHECK(second.message == "worse");
    CHECK(second.severity == Severity::error);
    CHECK(second.first_seen == first.first_seen);
    CHECK(second.last_seen == again.last_seen);
    again.type = "another";
    CHECK(store.warnings.raise(again).value().id == again.id);
}

TEST_CASE("raised again, an acknowledged row stays so and a resolved one is new") {
    Store store;
    store.raise(1, WarningStatus::acknowledged);
    CHECK(store.warnings.raise(Store::seen(1)).value().status == WarningStatus::acknowledged);
    store.raise(2, WarningStatus::resolved);
    const auto again = store.warnings.raise(Store::seen(2)).value();
    CHECK(again.status == WarningStatus::fresh);
    CHECK(again.resolved_at.empty());
    CHECK(again.count == 2);
}

TEST_CASE("what is not there, or over, is neither resolved nor acknowledged nor removed") {
    Store store;
    CHECK_FALSE(store.warnings.resolve("made_up", "container/c1", later).value());
    CHECK_FALSE(store.warnings.acknowledge(Store::seen(1).id).value());
    CHECK_FALSE(store.warnings.remove(Store::seen(1).id).value());
    store.raise(1, WarningStatus::resolved);
    CHECK_FALSE(store.warnings.resolve("made_up", "container/c1", later).value());
    CHECK_FALSE(store.warnings.acknowledge(Store::seen(1).id).value());
    CHECK(store.warnings.resolve_all("container/c1", later).value().empty());
    CHECK(store.warnings.remove(Store::seen(1).id).value()->resolved_at == Store::at(1));
    CHECK_FALSE(store.warnings.find(Store::seen(1).id).value());
}

TEST_CASE("a list is filtered, bounded, and says how many match") {
    Store store;
    store.raise(1);
    store.raise(2, WarningStatus::fresh, Severity::error);
    store.raise(3);
    store.raise(4, WarningStatus::acknowledged, Severity::critical);
    store.raise(5, WarningStatus::resolved, Severity::critical);
    const auto list = [&store](const WarningFilter& filter) {
        return store.warnings.list(filter).value();
    };
    CHECK(numbers(list({}).warnings) == std::vector{2, 3, 1, 5});
    CHECK(list({}).total == 4);
    CHECK(numbers(list({.acknowledged = true}).warnings) == std::vector{2, 3, 1, 4, 5});
    CHECK(numbers(list({.limit = 2}).warnings) == std::vector{2, 3});
    CHECK(list({.limit = 2}).total == 4);
    CHECK(numbers(list({.severity = Severity::warning}).warnings) == std::vector{3, 1});
    CHECK(list({.entity = "container/c3"}).total == 1);
    CHECK(list({.type = "made_up"}).total == 4);
    CHECK(list({.type = "other"}).total == 0);
    CHECK(store.warnings.count_new().value() == 3);
    CHECK(store.warnings.entities().value() ==
          std::set<std::string>{"container/c1", "container/c2", "container/c3", "container/c4"});
    CHECK(store.warnings.entities("other").value().empty());
}

TEST_CASE("what was resolved long enough ago is forgotten, and nothing else") {
    Store store;
    for (const int n : {1, 2, 3}) store.raise(n, WarningStatus::resolved);
    store.raise(4);
    CHECK(store.warnings.expire("2026-01-02T00:00:00.999Z").value().empty());
    CHECK(numbers(store.warnings.expire("2026-01-02T00:00:02.000Z").value()) == std::vector{1, 2});
    CHECK(numbers(store.warnings.list({}).value().warnings) == std::vector{4, 3});
}

TEST_CASE("of too many the oldest resolved ones go first, then the oldest acknowledged ones") {
    Store store;
    store.raise(1);
    store.raise(2, WarningStatus::acknowledged);
    store.raise(3, WarningStatus::acknowledged);
    store.raise(4, WarningStatus::resolved);
    store.raise(5, WarningStatus::resolved);
    const auto trim = [&store](std::int64_t kept) {
        return numbers(store.warnings.trim(kept).value());
    };
    CHECK(trim(5).empty());
    CHECK(trim(4) == std::vector{4});
    CHECK(trim(3) == std::vector{5});
    CHECK(trim(2) == std::vector{2});
    CHECK(trim(1) == std::vector{3});
}
