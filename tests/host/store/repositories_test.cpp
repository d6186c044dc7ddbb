// SPDX-License-Identifier: Apache-2.0
// The tables of containers, ports and keys, on a real database file.
#include "host/store/containers.h"
#include "host/store/migrations.h"
#include "host/store/ports.h"
#include "host/store/ssh_keys.h"
#include "host/store/standby.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <fmt/format.h>

#include <atomic>
#include <set>
#include <thread>

using namespace berth;
using namespace berth::store;

namespace {

constexpr std::int64_t slots = 8;

struct Store {
    TemporaryDirectory directory = {};
    std::unique_ptr<Database> database = Database::open(directory.path() / "berth.db").value();
    Containers containers{*database};
    Ports ports{*database};
    SshKeys ssh_keys{*database};
};

Container container(const std::string& name, std::int64_t slot) {
    return {.id = "id-" + name,
            .name = name,
            .image = "debian-12",
            .image_digest = "sha256:00",
            .slot = slot,
            .uid_base = 1'000'000 + slot * 65'536,
            .ipv4 = fmt::format("10.0.0.{}", slot + 2),
            .ssh_port = 22'000 + slot,
            .limits = {.memory_bytes = 4096,
                       .cpu_percent = 150,
                       .processes = 99,
                       .swap_bytes = 1,
                       .disk_bytes = 2,
                       .io_bytes_per_second = 3,
                       .io_operations_per_second = 4,
                       .receive_bytes_per_second = 5,
                       .send_bytes_per_second = 6},
            .host_key = "ssh-ed25519 AAAA",
            .created_at = "2026-11-22T06:00:51.123Z"};
}

/// Takes the next slot and inserts, as container_create does.
Result<std::int64_t> create(Store& store, const std::string& name) {
    std::int64_t slot = -1;
    const auto work = [&]() -> Result<> {
        slot = BERTH_TRY(store.containers.next_slot(slots));
        return store.containers.insert(container(name, slot));
    };
    BERTH_TRY(store.database->transact(work));
    return slot;
}

}  // namespace

TEST_CASE("a container comes back whole after the database is opened again") {
    Store store;
    auto made = container("ada", 3);
    made.phase = Phase::deleting;
    made.wanted_running = false;
    made.labels = {{"team", "a \"b\""}, {"empty", ""}};
    made.environment = {"WORDS=two \"quoted\" words", "EMPTY="};
    REQUIRE(store.containers.insert(made));
    store.database.reset();
    const auto reopened = Database::open(store.directory.path() / "berth.db").value();
    const auto found = Containers(*reopened).find_by_name("ada").value();
    REQUIRE(found);
    CHECK(found->id == made.id);
    CHECK(found->name == "ada");
    CHECK(found->phase == Phase::deleting);
    CHECK_FALSE(found->wanted_running);
    CHECK(found->image == made.image);
    CHECK(found->image_digest == made.image_digest);
    CHECK(found->slot == 3);
    CHECK(found->uid_base == made.uid_base);
    CHECK(found->ipv4 == made.ipv4);
    CHECK(found->ssh_port == made.ssh_port);
    CHECK(found->limits == made.limits);
    CHECK(found->host_key == made.host_key);
    CHECK(found->created_at == made.created_at);
    CHECK(found->labels == made.labels);
    CHECK(found->environment == made.environment);
}

TEST_CASE("containers of a berth without variables have none, and can be given some", "[store]") {
    constexpr std::size_t steps_before = 13;
    const TemporaryDirectory directory;
    const auto path = directory.path() / "berth.db";
    const auto old = Sqlite::open(path, migrations().first(steps_before)).value();
    REQUIRE(
        old->run("INSERT INTO containers (id, name, phase, wanted_running, image, image_digest, "
                 "slot, uid_base, ipv4, ssh_port, memory_bytes, cpu_percent, processes, "
                 "host_key, created_at) VALUES ('1', 'ada', 'ready', 1, 'i', 'd', 0, 1, 'a', "
                 "2, 3, 4, 5, 'k', 't')"));
    const auto database = Database::open(path).value();
    Containers containers(*database);
    auto ada = containers.find_by_name("ada").value().value();
    CHECK(ada.environment.empty());
    ada.environment = {"A=1"};
    REQUIRE(containers.update(ada));
    CHECK(containers.find_by_name("ada").value()->environment == ada.environment);
}

TEST_CASE("containers are listed by name, and a name that is not there is found as nothing") {
    Store store;
    REQUIRE(create(store, "bob"));
    REQUIRE(create(store, "ada"));
    const auto all = store.containers.list().value();
    REQUIRE(all.size() == 2);
    CHECK(all[0].name == "ada");
    CHECK(all[1].name == "bob");
    CHECK_FALSE(store.containers.find_by_name("eve").value());
}

TEST_CASE("phase and wanted state change alone, and an unknown id is not found") {
    Store store;
    REQUIRE(create(store, "ada"));
    REQUIRE(store.containers.set_phase("id-ada", Phase::ready));
    REQUIRE(store.containers.set_wanted_running("id-ada", false));
    const auto ada = store.containers.find_by_name("ada").value().value();
    CHECK(ada.phase == Phase::ready);
    CHECK_FALSE(ada.wanted_running);
    CHECK(ada.slot == 0);
    CHECK(store.containers.set_phase("id-eve", Phase::ready).error().code == ErrorCode::not_found);
    CHECK(store.containers.set_wanted_running("id-eve", true).error().code == ErrorCode::not_found);
    CHECK(store.containers.remove("id-eve").error().code == ErrorCode::not_found);
}

TEST_CASE("one that waits is listed when it is taken, which it is once", "[store]") {
    Store store;
    Standby standby(*store.database);
    auto row = container("ada", 1);
    row.name = Standby::name_of(row.id);
    row.phase = Phase::ready;
    REQUIRE(store.containers.insert(row));
    REQUIRE(standby.insert(row.id, "as this"));
    CHECK(standby.templates().value().size() == 1);
    CHECK(store.containers.list().value().empty());
    row.name = "ada";
    row.phase = Phase::creating;
    REQUIRE(store.database->transact_soon([&]() -> Result<> {
        BERTH_TRY(standby.take(row.id));
        BERTH_TRY(store.containers.insert(row));
        return standby.mark_claimed(row.id);
    }));
    REQUIRE(store.database->sync());
    CHECK(standby.templates().value().empty());
    CHECK(standby.claimed().value() == std::set{row.id});
    CHECK(store.containers.list().value().size() == 1);
    const auto again = standby.take(row.id);
    REQUIRE_FALSE(again);
    CHECK(again.error().code == ErrorCode::busy);
    REQUIRE(standby.settle(row.id));
    CHECK(standby.claimed().value().empty());
}

TEST_CASE("a taken name is refused at /name, and nothing is reserved for it") {
    Store store;
    REQUIRE(create(store, "ada") == 0);
    const auto again = create(store, "ada");
    REQUIRE_FALSE(again);
    CHECK(again.error().code == ErrorCode::already_exists);
    CHECK(again.error().field == "/name");
    CHECK(create(store, "bob") == 1);
}

TEST_CASE("what the caller did not choose cannot be given out twice") {
    Store store;
    REQUIRE(store.containers.insert(container("ada", 1)));
    auto second = container("bob", 2);
    SECTION("a slot") {
        second.slot = 1;
    }
    SECTION("a uid range") {
        second.uid_base = container("ada", 1).uid_base;
    }
    SECTION("an address") {
        second.ipv4 = container("ada", 1).ipv4;
    }
    SECTION("an SSH port") {
        second.ssh_port = container("ada", 1).ssh_port;
    }
    SECTION("an id") {
        second.id = "id-ada";
    }
    const auto refused = store.containers.insert(second);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::internal);
}

TEST_CASE("a freed slot rests until all the others have been given out") {
    Store store;
    REQUIRE(create(store, "first") == 0);
    REQUIRE(store.containers.remove("id-first"));
    for (std::int64_t slot = 1; slot < slots; ++slot) {
        CHECK(create(store, fmt::format("c{}", slot)) == slot);
    }
    CHECK(create(store, "again") == 0);
}

TEST_CASE("the search goes on after the last slot when the database is opened again") {
    Store store;
    REQUIRE(create(store, "first") == 0);
    REQUIRE(store.containers.remove("id-first"));
    store.database.reset();
    const auto reopened = Database::open(store.directory.path() / "berth.db").value();
    CHECK(Containers(*reopened).next_slot(slots) == 1);
}

TEST_CASE("a host with all slots taken refuses, and one with fewer slots than before wraps") {
    Store store;
    for (std::int64_t slot = 0; slot < slots; ++slot) {
        REQUIRE(create(store, fmt::format("c{}", slot)));
    }
    const auto refused = create(store, "ada");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::quota_exceeded);
    REQUIRE(store.containers.remove("id-c1"));
    CHECK(store.containers.next_slot(3) == 1);
    CHECK(store.containers.next_slot(0).error().code == ErrorCode::quota_exceeded);
}

TEST_CASE("threads that create at once get slots of their own") {
    Store store;
    std::atomic<int> failures = 0;
    {
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 4; ++thread) {
            threads.emplace_back([&store, &failures, thread] {
                for (const int turn : {0, 1}) {
                    const auto name = fmt::format("c{}-{}", thread, turn);
                    if (!create(store, name) || !store.containers.list()) ++failures;
                }
            });
        }
    }
    CHECK(failures == 0);
    std::set<std::int64_t> given;
    const auto all = store.containers.list().value();
    for (const auto& each : all) given.insert(each.slot);
    CHECK(given.size() == slots);
}

TEST_CASE("a port of the host is forwarded once for each protocol") {
    Store store;
    REQUIRE(create(store, "ada"));
    REQUIRE(create(store, "bob"));
    const Port web{
        .container_id = "id-ada", .protocol = "tcp", .host_port = 8080, .container_port = 80};
    REQUIRE(store.ports.insert(web));
    auto taken = web;
    taken.container_id = "id-bob";
    const auto refused = store.ports.insert(taken);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::already_exists);
    CHECK(refused.error().field == "/host_port");
    taken.protocol = "udp";
    REQUIRE(store.ports.insert(taken));

    CHECK(store.ports.find("tcp", 8080).value() == web);
    CHECK(store.ports.list().value() == std::vector{web, taken});
    CHECK(store.ports.list_of("id-bob").value() == std::vector{taken});
    REQUIRE(store.ports.remove("tcp", 8080));
    CHECK_FALSE(store.ports.find("tcp", 8080).value());
    const auto gone = store.ports.remove("tcp", 8080);
    REQUIRE_FALSE(gone);
    CHECK(gone.error().code == ErrorCode::not_found);
    CHECK(gone.error().field == "/host_port");
}

TEST_CASE("a key is added once to a container, and keys are listed in the order added") {
    Store store;
    REQUIRE(create(store, "ada"));
    REQUIRE(create(store, "bob"));
    const SshKey second{.container_id = "id-ada", .fingerprint = "SHA256:z", .public_key = "k z"};
    const SshKey first{.container_id = "id-ada", .fingerprint = "SHA256:a", .public_key = "k a"};
    CHECK(store.ssh_keys.insert(second).value());
    CHECK(store.ssh_keys.insert(first).value());
    CHECK_FALSE(store.ssh_keys.insert(second).value());
    CHECK(store.ssh_keys
              .insert({.container_id = "id-bob", .fingerprint = "SHA256:z", .public_key = "k z"})
              .value());
    const auto keys = store.ssh_keys.list_of("id-ada").value();
    REQUIRE(keys.size() == 2);
    CHECK(keys[0].public_key == "k z");
    CHECK(keys[1].fingerprint == "SHA256:a");
}

TEST_CASE("ports and keys go with their container, and cannot be had without one") {
    Store store;
    REQUIRE(create(store, "ada"));
    const Port port{
        .container_id = "id-ada", .protocol = "tcp", .host_port = 8080, .container_port = 80};
    const SshKey key{.container_id = "id-ada", .fingerprint = "SHA256:a", .public_key = "k"};
    REQUIRE(store.ports.insert(port));
    REQUIRE(store.ssh_keys.insert(key));
    REQUIRE(store.containers.remove("id-ada"));
    CHECK(store.ports.list().value().empty());
    CHECK(store.ssh_keys.list_of("id-ada").value().empty());
    CHECK(store.ports.insert(port).error().code == ErrorCode::not_found);
    CHECK(store.ssh_keys.insert(key).error().code == ErrorCode::not_found);
}
