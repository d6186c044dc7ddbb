// SPDX-License-Identifier: Apache-2.0
// Which layers there are and who stands on them, over an engine held in memory.
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <fmt/format.h>

#include <filesystem>
#include <random>

using namespace berth;
namespace fs = std::filesystem;

namespace {

ContainerName named(const std::string& name) {
    return ContainerName::parse(name).value();
}

void make_container(FakeHost& host, const std::string& name, bool start = true) {
    REQUIRE(host.registry->invoke("container_create", {{"name", name}, {"start", start}}, {}));
}

std::string id_of(FakeHost& host, const std::string& name) {
    return host.containers->get(named(name)).value().row.id;
}

const engine::Root& root_of(FakeHost& host, const std::string& name) {
    return host.engine.roots.at(id_of(host, name));
}

/// What lies in the directory of layers, by name.
std::vector<std::string> layers_of(const FakeHost& host) {
    host.containers->finish_removals(std::chrono::seconds(10));
    std::vector<std::string> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(host.directory.path() / "layers", none))
        found.push_back(entry.path().filename());
    return found;
}

bool no_container_is_frozen(FakeHost& host) {
    const auto views = host.containers->list().value();
    for (const auto& view : views) {
        if (host.engine.frozen(view.row.id) || host.engine.holds().contains(view.row.id))
            return false;
    }
    return true;
}

Result<store::Snapshot> take(FakeHost& host, const std::string& container,
                             std::optional<std::string> name = {}) {
    return host.snapshots->create({.container = named(container), .name = std::move(name)});
}

Result<std::vector<container::View>> fork(FakeHost& host, const std::string& container,
                                          const std::vector<std::string>& names) {
    snapshot::ForkWish wish{.container = named(container), .names = {}};
    for (const auto& name : names) wish.names.push_back(named(name));
    return host.snapshots->fork(wish);
}

}  // namespace

TEST_CASE("a snapshot is one layer, and its container goes on as it was", "[snapshot]") {
    if (!privileged()) return;
    FakeHost host;
    make_container(host, "web");
    const auto made = take(host, "web");
    REQUIRE(made);
    CHECK(made->name == "s1");
    CHECK(made->bytes == 4096);
    CHECK(take(host, "web").value().name == "s2");
    CHECK(layers_of(host).size() == 2);
    CHECK(no_container_is_frozen(host));
    CHECK(root_of(host, "web").layers.empty());
    CHECK(take(host, "web", "s1").error().code == ErrorCode::already_exists);
    CHECK(host.snapshots->list(named("web")).value().size() == 2);
}

TEST_CASE("snapshots of a container with a disk take four times that disk at most", "[snapshot]") {
    if (!privileged()) return;
    FakeHost host;
    constexpr std::int64_t disk = 1 << 26;
    REQUIRE(host.registry->invoke("container_create", {{"name", "web"}, {"disk_bytes", disk}}, {}));
    host.engine.disk_use_bytes = disk;
    for (int count = 0; count < snapshot::snapshot_disks_max; ++count) REQUIRE(take(host, "web"));
    const auto before = layers_of(host);
    for (const auto& refused :
         {take(host, "web").error(),
          host.snapshots->rehearse_create({.container = named("web")}).error()}) {
        CHECK(refused.code == ErrorCode::quota_exceeded);
        CHECK(refused.field == "/container");
        CHECK(refused.hint.contains("snapshot_delete"));
    }
    CHECK(layers_of(host) == before);
    REQUIRE(host.snapshots->remove(named("web"), "s1"));
    CHECK(take(host, "web"));
}

TEST_CASE("a copy that would leave the host's disk without its reserve is not begun",
          "[snapshot]") {
    if (!privileged()) return;
    FakeHost host;
    make_container(host, "web");
    host.engine.disk_use_bytes =
        static_cast<std::int64_t>(fs::space(host.directory.path()).available) - 4096;
    const auto snapshot = take(host, "web");
    REQUIRE_FALSE(snapshot);
    CHECK(snapshot.error().code == ErrorCode::quota_exceeded);
    const auto forks = fork(host, "web", {"ada"});
    REQUIRE_FALSE(forks);
    CHECK(forks.error().code == ErrorCode::quota_exceeded);
    CHECK(layers_of(host).empty());
    host.engine.disk_use_bytes = 4096;
    CHECK(take(host, "web"));
}

TEST_CASE("a paused container stays paused", "[snapshot]") {
    if (!privileged()) return;
    FakeHost host;
    make_container(host, "web");
    REQUIRE(host.engine.freeze(id_of(host, "web")));
    REQUIRE(take(host, "web"));
    CHECK(host.engine.frozen(id_of(host, "web")));
}

TEST_CASE("a snapshot that fails leaves nothing and holds nobody", "[snapshot]") {
    if (!privileged()) return;
    FakeHost host;
    make_container(host, "web");
    host.engine.fail_next("copy");
    CHECK_FALSE(take(host, "web"));
    CHECK(layers_of(host).empty());
    CHECK(no_container_is_frozen(host));
    host.engine.fail_next("copy");
    CHECK_FALSE(fork(host, "web", {"ada"}));
    CHECK(layers_of(host).empty());
    CHECK(no_container_is_frozen(host));
    CHECK(host.containers->list().value().size() == 1);
}

TEST_CASE("while it is copied a container runs, for all that anybody is told", "[snapshot]") {
    if (!privileged()) return;
    FakeHost host;
    make_container(host, "web");
    bool looked = false;
    host.engine.on_call = [&](std::string_view call) {
        if (call != "copy") return;
        looked = host.engine.holds().contains(id_of(host, "web"));
        CHECK(host.containers->get(named("web")).value().state == container::State::running);
    };
    CHECK(take(host, "web"));
    CHECK(looked);
}

TEST_CASE("a container that a copy could not let go on is let go with the next call",
          "[snapshot]") {
    if (!privileged()) return;
    FakeHost host;
    make_container(host, "web");
    SECTION("at once, when it was for a moment") {
        host.engine.fail_next("thaw");
        CHECK_FALSE(take(host, "web"));
        CHECK(no_container_is_frozen(host));
        CHECK(layers_of(host).empty());
        return;
    }
    host.engine.fail_next("thaw", 2);
    CHECK_FALSE(take(host, "web"));
    CHECK_FALSE(no_container_is_frozen(host));
    REQUIRE(layers_of(host).size() == 1);  // who stands still is written down
    CHECK(layers_of(host)[0].starts_with(".held-" + id_of(host, "web")));
    SECTION("by a resume") {
        REQUIRE(host.containers->resume(named("web"), {}));
        CHECK(layers_of(host).empty());
    }
    SECTION("by another snapshot") {
        REQUIRE(take(host, "web"));
        CHECK(layers_of(host).size() == 1);
    }
    SECTION("by the next start of berthd") {
        host.restart();
        CHECK(layers_of(host).empty());
    }
    CHECK(no_container_is_frozen(host));
}

TEST_CASE("a restored container stands on the snapshot with a root of its own", "[snapshot]") {
    if (!privileged()) return;
    FakeHost host;
    make_container(host, "web");
    const auto made = take(host, "web").value();
    CHECK(host.snapshots->restore(named("web"), "s1", false).error().code == ErrorCode::busy);
    const auto restored = host.snapshots->restore(named("web"), "s1", true);
    REQUIRE(restored);
    CHECK(restored->state == container::State::running);
    const auto root = root_of(host, "web");
    REQUIRE(root.layers.size() == 1);
    CHECK(root.layers.front().tree.filename() == made.layer_id);
    CHECK_FALSE(root.name.empty());

    // Again to the same one is no deeper, and to one taken since then is.
    REQUIRE(host.snapshots->restore(named("web"), "s1", true));
    CHECK(root_of(host, "web").layers.size() == 1);
    CHECK(root_of(host, "web").name != root.name);
    REQUIRE(take(host, "web"));
    REQUIRE(host.snapshots->restore(named("web"), "s2", true));
    CHECK(root_of(host, "web").layers.size() == 2);
}

TEST_CASE("a restore that fails leaves the container as it was", "[snapshot]") {
    if (!privileged()) return;
    FakeHost host;
    make_container(host, "web");
    REQUIRE(take(host, "web"));
    host.engine.fail_next("prepare");
    CHECK_FALSE(host.snapshots->restore(named("web"), "s1", true));
    CHECK(root_of(host, "web").layers.empty());
    CHECK(host.containers->get(named("web")).value().state == container::State::running);
}

TEST_CASE("forks share one layer and have everything else for themselves", "[snapshot]") {
    if (!privileged()) return;
    FakeHost host;
    make_container(host, "web");
    const auto forks = fork(host, "web", {"ada", "bob", "cyd"});
    REQUIRE(forks);
    CHECK(layers_of(host).size() == 1);
    std::set<std::string> addresses, ids, host_keys;
    const auto views = host.containers->list().value();
    for (const auto& view : views) {
        addresses.insert(view.row.ipv4);
        ids.insert(view.row.id);
        host_keys.insert(view.row.host_key);
    }
    CHECK(addresses.size() == 4);
    CHECK(ids.size() == 4);
    CHECK(host_keys.size() == 4);
    CHECK(root_of(host, "ada").layers.front().tree == root_of(host, "cyd").layers.front().tree);
}

TEST_CASE("a fork has the life of its source, and no more time than that has left", "[snapshot]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.registry->invoke("container_create",
                                  {{"name", "web"},
                                   {"restart", "always"},
                                   {"ttl_seconds", 3600},
                                   {"idle_stop_seconds", 600},
                                   {"delete_after_stop", true},
                                   {"nesting", true},
                                   {"protected", true}},
                                  {}));
    REQUIRE(host.containers->update(named("web"), {.wake = true}));
    host.clock.advance(std::chrono::seconds(1000));
    REQUIRE(fork(host, "web", {"one"}));
    REQUIRE(host.snapshots->fork(
        {.container = named("web"), .names = {named("still")}, .start = false}));
    const auto life = [&host](const std::string& name) {
        return host.containers->get(named(name)).value().row.life;
    };
    for (const auto* name : {"one", "still"}) {
        CAPTURE(name);
        CHECK(host.containers->get(named(name)).value().row.nesting);
        CHECK(life(name).restart == store::Restart::always);
        CHECK(life(name).idle_stop_seconds == 600);
        CHECK(life(name).wake);
        const auto later_ms = life(name).expires_at - life("web").expires_at;
        CHECK((later_ms >= 0 && later_ms < 1000));  // time is given in whole seconds
        CHECK_FALSE(life(name).is_protected);
    }
    CHECK(life("one").after_stop == store::AfterStop::armed);
    CHECK(life("still").after_stop == store::AfterStop::remove);
    make_container(host, "stays");
    REQUIRE(fork(host, "stays", {"too"}));
    CHECK(life("too").expires_at == 0);
}

TEST_CASE("of forks of which one fails none is left", "[snapshot]") {
    if (!privileged()) return;
    FakeHost host;
    make_container(host, "web");
    host.engine.fail_next("start");
    CHECK_FALSE(fork(host, "web", {"ada", "bob", "cyd"}));
    CHECK(host.containers->list().value().size() == 1);
    CHECK(layers_of(host).empty());
}

TEST_CASE("whatever is deleted first, nothing is left and nothing breaks", "[snapshot]") {
    if (!privileged()) return;
    std::mt19937 random(GENERATE(1U, 2U, 3U, 4U, 5U, 6U));
    FakeHost host;
    make_container(host, "web");
    REQUIRE(take(host, "web"));
    REQUIRE(fork(host, "web", {"ada"}));
    REQUIRE(take(host, "ada"));
    REQUIRE(fork(host, "ada", {"bob"}));
    REQUIRE(host.snapshots->restore(named("web"), "s1", true));
    REQUIRE(take(host, "web"));
    CHECK(root_of(host, "bob").layers.size() == 2);
    CHECK(layers_of(host).size() == 5);

    std::vector<std::function<void()>> deletions;
    for (const auto* name : {"web", "ada", "bob"}) {
        deletions.emplace_back(
            [&host, name] { CHECK(host.containers->remove(named(name), true)); });
    }
    for (const auto& [container, name] :
         {std::pair{"web", "s1"}, std::pair{"web", "s2"}, std::pair{"ada", "s1"}}) {
        deletions.emplace_back([&host, container, name] {
            const auto removed = host.snapshots->remove(named(container), name);
            CHECK((removed || removed.error().code == ErrorCode::not_found));
        });
    }
    std::ranges::shuffle(deletions, random);
    for (const auto& deletion : deletions) {
        deletion();
        const auto views = host.containers->list().value();
        for (const auto& view : views) {
            const auto root = host.layers->root_of(view.row.id).value();
            for (const auto& layer : root.layers) CHECK(fs::exists(layer.tree));
        }
    }
    CHECK(layers_of(host).empty());
}

TEST_CASE("after a crash what was held goes on and what was half-made is gone", "[snapshot]") {
    if (!privileged()) return;
    FakeHost host;
    make_container(host, "web");
    REQUIRE(take(host, "web"));
    const auto id = id_of(host, "web");
    REQUIRE(host.engine.freeze(id));
    fs::create_directories(host.directory.path() / fmt::format("layers/.held-{}-0123/tree", id));
    fs::create_directories(host.directory.path() / "layers/.new-4567/tree");
    fs::create_directories(host.directory.path() / "layers/89abcdef");  // its row was never there
    host.restart();
    CHECK_FALSE(host.engine.frozen(id));
    CHECK(layers_of(host).size() == 1);
    CHECK(host.snapshots->list(std::nullopt).value().size() == 1);
}
