// SPDX-License-Identifier: Apache-2.0
#include "host/container/container_service.h"

#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

using namespace berth;
using namespace std::chrono_literals;
using namespace berth::container;

namespace {

ContainerName name(std::string_view text) {
    return ContainerName::parse(text).value();
}

CreateWish wish(std::string_view text) {
    return {.name = name(text),
            .image = ImageName::parse("debian-12").value(),
            .limits = {.memory_bytes = 1 << 26, .cpu_percent = 100, .processes = 100},
            .ports = {},
            .ssh_keys = {},
            .start = true};
}

}  // namespace

TEST_CASE("a create that fails at any step leaves nothing, and the name is free again",
          "[container]") {
    if (!privileged()) return;
    FakeHost host;
    const auto* step = GENERATE("create", "start", "network");
    CAPTURE(step);
    auto wanted = wish("ada");
    wanted.ports = {{.container_port = 80, .host_port = 8080}};
    host.engine.fail_next(step);
    host.network.refuse = std::string_view(step) == "network";
    REQUIRE_FALSE(host.containers->create(wanted));
    host.containers->finish_removals(10s);
    CHECK(host.remaining() == 0);
    CHECK(host.logins.listening.empty());
    CHECK(host.network.applied.empty());
    host.network.refuse = false;
    CHECK(host.containers->create(wanted));
}

TEST_CASE("a login that answers a moment later is waited for", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    host.logins.refuse_next = 2;
    CHECK(host.containers->create(wish("ada")));
    CHECK(host.logins.refuse_next == 0);
}

TEST_CASE("containers made at once get addresses, ports and uid ranges of their own",
          "[container]") {
    if (!privileged()) return;
    FakeHost host;
    std::vector<std::jthread> threads;
    for (int number = 0; number < 8; ++number) {
        threads.emplace_back([&host, number] {
            (void)host.containers->create(wish("box" + std::to_string(number)));
        });
    }
    threads.clear();
    const auto views = host.containers->list().value();
    REQUIRE(views.size() == 8);
    std::set<std::string> addresses;
    std::set<std::int64_t> ports, uids;
    for (const auto& view : views) {
        addresses.insert(view.row.ipv4);
        ports.insert(view.row.ssh_port);
        uids.insert(view.row.uid_base);
    }
    CHECK(addresses.size() == 8);
    CHECK(ports.size() == 8);
    CHECK(*uids.rbegin() - *uids.begin() == 7 * 65536);
}

TEST_CASE("of creates with one name, one wins and the others learn that it is taken",
          "[container]") {
    if (!privileged()) return;
    FakeHost host;
    std::atomic<int> made = 0, taken = 0;
    std::vector<std::jthread> threads;
    for (int number = 0; number < 6; ++number) {
        threads.emplace_back([&] {
            const auto created = host.containers->create(wish("ada"));
            ++(created ? made : taken);
        });
    }
    threads.clear();
    CHECK(made == 1);
    CHECK(taken == 5);
}

TEST_CASE("a restart finds ready containers again and removes half-made and half-deleted ones",
          "[container]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("whole")));
    REQUIRE(host.containers->create(wish("half")));
    REQUIRE(host.containers->create(wish("going")));
    store::Containers rows(*host.database);
    REQUIRE(rows.set_phase(rows.find_by_name("half").value()->id, store::Phase::creating));
    REQUIRE(rows.set_phase(rows.find_by_name("going").value()->id, store::Phase::deleting));
    host.restart();
    const auto views = host.containers->list().value();
    REQUIRE(views.size() == 1);
    CHECK(views.front().row.name == "whole");
    CHECK(views.front().state == State::running);
    CHECK(host.remaining() == 1);
    CHECK(host.logins.listening.size() == 1);
}

TEST_CASE("remains that no row speaks of are removed at the start", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    engine::Spec stranger;
    stranger.id = "0123456789";
    REQUIRE(host.engine.create(stranger, {}));
    host.restart();
    CHECK(host.remaining() == 0);
}

TEST_CASE("a delete that fails can be repeated", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada")));
    host.engine.fail_next("kill");
    REQUIRE_FALSE(host.containers->remove(name("ada"), true));
    CHECK(host.containers->get(name("ada")).value().state == State::deleting);
    CHECK(host.containers->remove(name("ada"), true));
    CHECK(host.containers->get(name("ada")).error().code == ErrorCode::not_found);
}

TEST_CASE("what a deleted container leaves is removed later, and holds nothing but its slot",
          "[container]") {
    if (!privileged()) return;
    FakeHost host;
    auto with_port = wish("ada");
    with_port.ports = {{.container_port = 80, .host_port = 30001}};
    const auto first = host.containers->create(with_port).value().row;
    host.engine.fail_next("destroy");
    REQUIRE(host.containers->remove(name("ada"), true));
    CHECK(host.containers->list().value().empty());
    CHECK(host.logins.listening.empty());
    CHECK(host.network.applied.empty());
    const auto second = host.containers->create(with_port);  // while the first is still there
    REQUIRE(second);
    CHECK(second->row.slot != first.slot);
    host.containers->finish_removals(10s);
    CHECK(host.remaining() == 1);
    CHECK(store::Containers(*host.database).all().value().size() == 1);
    CHECK(host.warnings->count_new().value() == 0);
}

TEST_CASE("what a deleted container has left when berthd ends goes with its next start",
          "[container]") {
    if (!privileged()) return;
    FakeHost host;
    const auto id = host.containers->create(wish("ada")).value().row.id;
    REQUIRE(host.database->transact([&] { return store::Containers(*host.database).retire(id); }));
    CHECK(host.containers->list().value().empty());
    host.restart();
    CHECK(host.remaining() == 0);
    CHECK(store::Containers(*host.database).all().value().empty());
    CHECK(host.warnings->count_new().value() == 0);
}

TEST_CASE("a port that nobody named is a free one, until there is none", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    host.network.used_by_host = {30001};
    REQUIRE(host.containers->create(wish("ada")));
    std::vector<std::int64_t> given;
    for (int count = 0; count < 3; ++count)
        given.push_back(
            host.containers->add_port(name("ada"), {.container_port = 80}).value().host_port);
    CHECK(given == std::vector<std::int64_t>{30000, 30002, 30003});
    const auto none = host.containers->add_port(name("ada"), {.container_port = 80});
    REQUIRE_FALSE(none);
    CHECK(none.error().code == ErrorCode::quota_exceeded);
    CHECK(host.network.applied.size() == 3);
}

TEST_CASE(
    "a port of the host's own, of SSH's range, or of another container is refused with its reason",
    "[container]") {
    if (!privileged()) return;
    FakeHost host;
    host.network.used_by_host = {9000};
    REQUIRE(host.containers->create(wish("ada")));
    CHECK(host.containers->add_port(name("ada"), {.container_port = 80, .host_port = 9000})
              .error()
              .code == ErrorCode::busy);
    CHECK(host.containers->add_port(name("ada"), {.container_port = 80, .host_port = 20000})
              .error()
              .code == ErrorCode::busy);
    REQUIRE(host.containers->add_port(name("ada"), {.container_port = 80, .host_port = 8080}));
    const auto taken =
        host.containers->add_port(name("ada"), {.container_port = 81, .host_port = 8080});
    CHECK(taken.error().code == ErrorCode::already_exists);
    CHECK(taken.error().message.contains("'ada'"));
    CHECK(host.network.applied.size() == 1);
}

TEST_CASE("a forward that the network refuses is not kept", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada")));
    host.network.refuse = true;
    REQUIRE_FALSE(
        host.containers->add_port(name("ada"), {.container_port = 80, .host_port = 8080}));
    CHECK(host.containers->get(name("ada")).value().ports.empty());
}

TEST_CASE("a command in a stopped container is refused with what to do", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada")));
    REQUIRE(host.containers->stop(name("ada"), 0));
    const auto refused = host.containers->run(name("ada"), {.launch = {.argv = {"true"}}}, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::busy);
    CHECK(refused.error().hint.contains("container_start"));
    REQUIRE(host.containers->start(name("ada")));
    CHECK(host.containers->run(name("ada"), {.launch = {.argv = {"true"}}}, {}).value().exit_code ==
          0);
}

TEST_CASE("a cancelled command is killed with all it started", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada")));
    std::stop_source source;
    std::jthread canceller([&source] { source.request_stop(); });
    const auto cancelled = host.containers->run(
        name("ada"), {.launch = {.argv = {"sleep", "1000"}}}, source.get_token());
    REQUIRE_FALSE(cancelled);
    CHECK(cancelled.error().code == ErrorCode::timed_out);
}
