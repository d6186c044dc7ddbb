// SPDX-License-Identifier: Apache-2.0
// Changes to a container that is there.
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

using namespace berth;
using namespace berth::container;

namespace {

ContainerName name(std::string_view text) {
    return ContainerName::parse(text).value();
}

View made(FakeHost& host) {
    return host.containers
        ->create({.name = name("ada"),
                  .image = ImageName::parse("debian-12").value(),
                  .limits = {.memory_bytes = 1 << 26, .cpu_percent = 100, .processes = 100},
                  .ports = {},
                  .ssh_keys = {},
                  .labels = {{"team", "web"}, {"tier", "one"}}})
        .value();
}

}  // namespace

TEST_CASE("an update changes what it names and nothing else", "[update]") {
    if (!privileged()) return;
    FakeHost host;
    const auto before = made(host);
    const auto after = host.containers
                           ->update(name("ada"), {.limits = {.memory_bytes = 1 << 27},
                                                  .labels = {{"team", "db"}},
                                                  .labels_removed = {"tier"},
                                                  .restart = store::Restart::always})
                           .value();
    CHECK(after.row.limits.memory_bytes == 1 << 27);
    CHECK(after.row.limits.cpu_percent == 100);
    CHECK(after.row.labels == store::Labels{{"team", "db"}});
    CHECK(after.row.life.restart == store::Restart::always);
    CHECK(after.row.ipv4 == before.row.ipv4);
    CHECK(host.engine.limits.at(before.row.id).memory_bytes == 1 << 27);
    CHECK(host.engine.limits.at(before.row.id).processes == 100);
    CHECK(host.containers->get(name("ada")).value().row.limits.memory_bytes == 1 << 27);
}

TEST_CASE("an update with an etag of before is refused, and names another etag when done",
          "[update]") {
    if (!privileged()) return;
    FakeHost host;
    const auto before = made(host);
    const auto etag = etag_of(before.row);
    const auto after =
        host.containers->update(name("ada"), {.etag = etag, .limits = {.processes = 200}});
    REQUIRE(after);
    CHECK(etag_of(after->row) != etag);
    const auto refused =
        host.containers->update(name("ada"), {.etag = etag, .limits = {.processes = 300}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::busy);
    CHECK(refused.error().field == "/etag");
    CHECK(host.containers->get(name("ada")).value().row.limits.processes == 200);
    CHECK(host.containers->rehearse_update(name("ada"), {.etag = etag}).error().code ==
          ErrorCode::busy);
}

TEST_CASE("an update that the kernel refuses changes nothing", "[update]") {
    if (!privileged()) return;
    FakeHost host;
    const auto before = made(host);
    host.engine.fail_next("limit");
    REQUIRE_FALSE(host.containers->update(
        name("ada"), {.limits = {.memory_bytes = 1 << 25}, .labels = {{"a", "b"}}}));
    const auto after = host.containers->get(name("ada")).value();
    CHECK(after.row.limits.memory_bytes == before.row.limits.memory_bytes);
    CHECK(after.row.labels == before.row.labels);
    CHECK(etag_of(after.row) == etag_of(before.row));
}

TEST_CASE("a limit that this machine cannot keep is refused before anything is begun", "[update]") {
    if (!privileged()) return;
    FakeHost host;
    host.engine.limits_disk = false;
    const CreateWish wish{.name = name("bob"),
                          .image = ImageName::parse("debian-12").value(),
                          .limits = {.memory_bytes = 1 << 26,
                                     .cpu_percent = 100,
                                     .processes = 100,
                                     .disk_bytes = 1 << 30},
                          .ports = {},
                          .ssh_keys = {}};
    for (const auto& error :
         {host.containers->create(wish).error(), host.containers->rehearse_create(wish).error()}) {
        CHECK(error.code == ErrorCode::unsupported);
        CHECK(error.field == "/disk_bytes");
        CHECK_FALSE(error.hint.empty());
    }
    CHECK(host.remaining() == 0);
    host.engine.limits_disk = true;
    CHECK(host.containers->create(wish).value().row.limits.disk_bytes == 1 << 30);
    CHECK(host.containers->wish_like(name("bob")).value().limits ==
          limits_of(host.containers->get(name("bob")).value().row));
}

TEST_CASE("a container has a disk of its own from its creation on, or never", "[update]") {
    if (!privileged()) return;
    FakeHost host;
    (void)made(host);
    const auto refused = host.containers->update(name("ada"), {.limits = {.disk_bytes = 1 << 30}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::unsupported);
    CHECK(refused.error().field == "/disk_bytes");
    CHECK(host.containers->rehearse_update(name("ada"), {.limits = {.disk_bytes = 1 << 30}})
              .error()
              .code == ErrorCode::unsupported);
}

TEST_CASE("an update keeps the limits that it does not name", "[update]") {
    if (!privileged()) return;
    FakeHost host;
    (void)made(host);
    REQUIRE(host.containers->update(name("ada"), {.limits = {.swap_bytes = 5,
                                                             .io_bytes_per_second = 1 << 20,
                                                             .io_operations_per_second = 50,
                                                             .receive_bytes_per_second = 1 << 21,
                                                             .send_bytes_per_second = 1 << 22}}));
    const auto after = host.containers->update(name("ada"), {.limits = {.processes = 7}}).value();
    const store::Limits expected{.memory_bytes = 1 << 26,
                                 .cpu_percent = 100,
                                 .processes = 7,
                                 .swap_bytes = 5,
                                 .disk_bytes = 0,
                                 .io_bytes_per_second = 1 << 20,
                                 .io_operations_per_second = 50,
                                 .receive_bytes_per_second = 1 << 21,
                                 .send_bytes_per_second = 1 << 22};
    CHECK(after.row.limits == expected);
    CHECK(host.engine.limits.at(after.row.id) == limits_of(after.row));
    CHECK(host.containers->update(name("ada"), {.limits = {.io_bytes_per_second = 1}})
              .error()
              .field == "/io_bytes_per_second");
}

TEST_CASE("a protected container is not deleted until it is not protected any more", "[update]") {
    if (!privileged()) return;
    FakeHost host;
    (void)made(host);
    REQUIRE(host.containers->update(name("ada"), {.is_protected = true}));
    const auto refused = host.containers->remove(name("ada"), true);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::denied);
    CHECK(refused.error().hint.contains("container_update"));
    CHECK_FALSE(refused.error().next_call);  // a person decides that
    CHECK(host.remaining() == 1);
    REQUIRE(host.containers->update(name("ada"), {.is_protected = false}));
    CHECK(host.containers->remove(name("ada"), true));
}

TEST_CASE("a paused container does nothing until it goes on", "[update]") {
    if (!privileged()) return;
    FakeHost host;
    (void)made(host);
    for (int count = 0; count < 2; ++count)
        CHECK(host.containers->pause(name("ada")).value().state == State::paused);
    CHECK(host.logins.listening.empty());
    const auto refused =
        host.containers->run(name("ada"), {.launch = {.argv = {"true"}}}, std::stop_token());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::busy);
    CHECK(refused.error().hint == R"(call container_resume {"name":"ada"})");
    CHECK(host.containers->start(name("ada")).error().hint ==
          R"(call container_resume {"name":"ada"})");
    SECTION("after a restart of berthd too") {
        host.restart();
        CHECK(host.logins.listening.empty());
    }
    SECTION("or is stopped") {
        CHECK(host.containers->stop(name("ada"), 0).value().state == State::stopped);
        CHECK(host.containers->pause(name("ada")).error().hint ==
              R"(call container_start {"name":"ada"})");
        CHECK(host.containers->resume(name("ada")).error().hint ==
              R"(call container_start {"name":"ada"})");
        REQUIRE(host.containers->start(name("ada")));
    }
    for (int count = 0; count < 2; ++count)
        CHECK(host.containers->resume(name("ada")).value().state == State::running);
    CHECK(host.logins.listening.size() == 1);
    CHECK(host.containers->run(name("ada"), {.launch = {.argv = {"true"}}}, {}));
}

TEST_CASE("a pause that fails leaves the container as it was", "[update]") {
    if (!privileged()) return;
    FakeHost host;
    (void)made(host);
    host.engine.fail_next("freeze");
    CHECK_FALSE(host.containers->pause(name("ada")));
    CHECK(host.containers->get(name("ada")).value().state == State::running);
    CHECK(host.logins.listening.size() == 1);
}

TEST_CASE("a share is there from the next start on, and in forks", "[update]") {
    if (!privileged()) return;
    FakeHost host;
    const auto id = made(host).row.id;
    std::filesystem::create_directories(host.directory.path() / "allowed/data");
    const auto path = (host.directory.path() / "allowed/data").string();
    const store::Share share{.host_path = path, .path = "/srv/data", .writable = true};
    REQUIRE(host.containers->update(name("ada"), {.shares = {share}}));
    CHECK(host.engine.shares.at(id).empty());
    REQUIRE(host.containers->stop(name("ada"), 0));
    REQUIRE(host.containers->start(name("ada")));
    REQUIRE(host.engine.shares.at(id).size() == 1);
    const auto& shown = host.engine.shares.at(id).front();
    CHECK(shown.allowed / shown.below == path);
    CHECK(shown.inside == "srv/data");
    CHECK(shown.writable);
    CHECK(host.containers->wish_like(name("ada")).value().shares == store::Shares{share});
    REQUIRE(host.containers->update(name("ada"), {.shares_removed = {"/srv/data"}}));
    CHECK(host.containers->get(name("ada")).value().row.shares.empty());
}

TEST_CASE("a share that is not allowed any more stops a start, and says so", "[update]") {
    if (!privileged()) return;
    FakeHost host;
    (void)made(host);
    std::filesystem::create_directories(host.directory.path() / "allowed/data");
    const auto path = (host.directory.path() / "allowed/data").string();
    REQUIRE(host.containers->update(name("ada"),
                                    {.shares = {{.host_path = path, .path = "/srv/data"}}}));
    REQUIRE(host.containers->stop(name("ada"), 0));
    std::filesystem::remove_all(host.directory.path() / "allowed");
    const auto refused = host.containers->start(name("ada"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::denied);
    CHECK(refused.error().field.empty());
    CHECK(refused.error().message.contains(path));
    CHECK(host.containers->get(name("ada")).value().state == State::stopped);
}

TEST_CASE("a container's own socket comes and goes with it, and as it is told to", "[update]") {
    if (!privileged()) return;
    FakeHost host;
    const auto id = made(host).row.id;
    CHECK(host.guests.listening.contains(id));
    REQUIRE(host.containers->update(name("ada"), {.guest_socket = false}));
    CHECK(host.guests.listening.empty());
    host.restart();
    CHECK(host.guests.listening.empty());
    REQUIRE(host.containers->update(name("ada"), {.guest_socket = true}));
    host.restart();
    CHECK(host.guests.listening.contains(id));
    REQUIRE(host.containers->stop(name("ada"), 0));
    CHECK(host.guests.listening.empty());
    REQUIRE(host.containers->remove(name("ada"), false));
    CHECK(host.containers->about(id).error().code == ErrorCode::unavailable);
}

TEST_CASE("what a container is told of itself is its own", "[update]") {
    if (!privileged()) return;
    FakeHost host;
    const auto id = made(host).row.id;
    REQUIRE(host.containers->update(name("ada"), {.ttl_seconds = 100}));
    host.clock.advance(std::chrono::seconds(10));
    const auto told = host.containers->about(id).value();
    CHECK(told.at("name") == "ada");
    CHECK(told.at("id") == id);
    CHECK(told.at("location") == "here");
    CHECK(told.at("pool") == "field");
    CHECK(told.at("labels") == Json{{"team", "web"}, {"tier", "one"}});
    CHECK(told.at("ttl_seconds").get<int>() <= 90);
    CHECK(told.at("ttl_seconds").get<int>() > 80);
}
