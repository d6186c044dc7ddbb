// SPDX-License-Identifier: Apache-2.0
#include "base/files.h"
#include "host/container/standby_keeper.h"
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <mutex>
#include <set>
#include <thread>

using namespace berth;
using namespace berth::container;

namespace {

CreateWish wish(std::string_view name, std::int64_t processes = 100) {
    return {.name = ContainerName::parse(name).value(),
            .image = ImageName::parse("debian-12").value(),
            .limits = {.memory_bytes = 1 << 26, .cpu_percent = 100, .processes = processes},
            .ports = {},
            .ssh_keys = {}};
}

/// Does all that there is to do.
void settle(StandbyKeeper& keeper) {
    while (keeper.step()) {
    }
}

std::set<std::string> waiting_ids(FakeHost& host) {
    std::set<std::string> ids;
    const auto waiting = host.containers->found_waiting().value();
    for (const auto& one : waiting) ids.insert(one.row.id);
    return ids;
}

}  // namespace

TEST_CASE("a create that fits claims a container that waits, with a name of its own",
          "[container][standby]") {
    if (!privileged()) return;
    FakeHost host;
    StandbyKeeper keeper(*host.containers, *host.warnings, {{.wish = wish("any"), .count = 1}});
    settle(keeper);
    REQUIRE(host.containers->waiting_room().count() == 1);
    CHECK(host.containers->list().value().empty());
    CHECK(host.logins.listening.empty());
    const auto waited = waiting_ids(host);

    auto wanted = wish("ada");
    wanted.ports = {{.container_port = 80, .host_port = 8080}};
    wanted.labels = {{"team", "web"}};
    wanted.environment = {"STAGE=live"};
    const auto made = host.containers->create(wanted).value();
    CHECK(waited.contains(made.row.id));
    CHECK(made.row.name == "ada");
    CHECK(made.row.labels == wanted.labels);
    CHECK(made.row.environment == wanted.environment);
    CHECK(read_file(host.directory.path() / "containers" / made.row.id / "guest/sshd_config")
              .value()
              .contains("SetEnv \"STAGE=live\"\n"));
    CHECK(made.ports.size() == 1);
    CHECK(host.engine.hostnames[made.row.id] == "ada");
    CHECK(host.logins.listening.contains(made.row.id));
    CHECK(host.containers->waiting_room().count() == 0);

    SECTION("and another is booted in its place, which is not it again") {
        REQUIRE(host.containers->remove(ContainerName::parse("ada").value(), true));
        settle(keeper);
        const auto now = waiting_ids(host);
        CHECK(now.size() == 1);
        CHECK_FALSE(now.contains(made.row.id));
    }
}

TEST_CASE("a create that fits none that wait boots its own", "[container][standby]") {
    if (!privileged()) return;
    FakeHost host;
    StandbyKeeper keeper(*host.containers, *host.warnings, {{.wish = wish("any"), .count = 1}});
    settle(keeper);
    auto other = wish("ada", 200);
    auto stopped = wish("bob");
    stopped.start = false;
    auto confined = wish("cleo");
    confined.no_new_privileges = true;
    auto nesting = wish("dora");
    nesting.nesting = true;
    for (const auto& wanted : {other, stopped, confined, nesting}) {
        REQUIRE(host.containers->create(wanted));
        CHECK(host.containers->waiting_room().count() == 1);
    }
}

TEST_CASE("a container is claimed once, whoever else asks", "[container][standby]") {
    if (!privileged()) return;
    constexpr int callers = 100;
    constexpr std::size_t prepared = 40;
    FakeHost host;
    StandbyKeeper keeper(*host.containers, *host.warnings,
                         {{.wish = wish("any"), .count = prepared}});
    settle(keeper);
    const auto waited = waiting_ids(host);
    REQUIRE(waited.size() == prepared);
    std::mutex mutex;
    std::multiset<std::string> ids;
    std::vector<std::jthread> threads;
    for (int number = 0; number < callers; ++number) {
        threads.emplace_back([&, number] {
            const auto made = host.containers->create(wish("box" + std::to_string(number)));
            const std::lock_guard lock(mutex);
            ids.insert(made ? made->row.id : made.error().message);
        });
    }
    threads.clear();
    CHECK(ids.size() == callers);
    CHECK(std::set(ids.begin(), ids.end()).size() == callers);
    CHECK(std::ranges::includes(ids, waited));
    CHECK(waiting_ids(host).empty());
}

TEST_CASE("a name that is taken is refused, and the one that waits goes on waiting",
          "[container][standby]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada")));
    StandbyKeeper keeper(*host.containers, *host.warnings, {{.wish = wish("any"), .count = 1}});
    settle(keeper);
    const auto refused = host.containers->create(wish("ada"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::already_exists);
    CHECK(refused.error().field == "/name");
    CHECK(host.containers->waiting_room().count() == 1);
}

TEST_CASE("one that cannot be claimed goes, and the caller gets another", "[container][standby]") {
    if (!privileged()) return;
    FakeHost host;
    StandbyKeeper keeper(*host.containers, *host.warnings, {{.wish = wish("any"), .count = 1}});
    settle(keeper);
    const auto waited = waiting_ids(host);
    host.engine.fail_next("rename");
    const auto made = host.containers->create(wish("ada")).value();
    CHECK_FALSE(waited.contains(made.row.id));
    CHECK(host.remaining() == 1);
}

TEST_CASE("what waits and is no longer wanted goes", "[container][standby]") {
    if (!privileged()) return;
    FakeHost host;
    {
        StandbyKeeper keeper(*host.containers, *host.warnings, {{.wish = wish("any"), .count = 2}});
        settle(keeper);
    }
    const auto before = waiting_ids(host);
    REQUIRE(before.size() == 2);
    host.restart();  // as kill -9 would
    CHECK(host.containers->waiting_room().count() == 0);

    SECTION("after a restart the same ones wait again") {
        StandbyKeeper keeper(*host.containers, *host.warnings, {{.wish = wish("any"), .count = 2}});
        settle(keeper);
        CHECK(waiting_ids(host) == before);
        CHECK(host.containers->waiting_room().count() == 2);
    }
    SECTION("when the template is another, those of the old one are replaced") {
        StandbyKeeper keeper(*host.containers, *host.warnings,
                             {{.wish = wish("any", 300), .count = 1}});
        settle(keeper);
        CHECK(waiting_ids(host).size() == 1);
        CHECK_FALSE(before.contains(*waiting_ids(host).begin()));
        CHECK(host.remaining() == 1);
    }
    SECTION("when none is wanted, none is left") {
        StandbyKeeper keeper(*host.containers, *host.warnings, {});
        settle(keeper);
        CHECK(waiting_ids(host).empty());
        CHECK(host.remaining() == 0);
    }
    SECTION("when one has ended meanwhile, another is booted") {
        host.engine.lose_power();
        StandbyKeeper keeper(*host.containers, *host.warnings, {{.wish = wish("any"), .count = 2}});
        settle(keeper);
        CHECK(waiting_ids(host).size() == 2);
        for (const auto& id : waiting_ids(host)) CHECK_FALSE(before.contains(id));
    }
}

TEST_CASE("what cannot be booted ahead is a warning, and creates go on", "[container][standby]") {
    if (!privileged()) return;
    FakeHost host;
    StandbyKeeper keeper(*host.containers, *host.warnings, {{.wish = wish("any"), .count = 1}});
    host.engine.fail_next("start");
    settle(keeper);
    CHECK(host.containers->waiting_room().count() == 0);
    CHECK(host.warnings->entities("standby_not_filled").contains("standby"));
    CHECK(host.containers->create(wish("ada")));
}
