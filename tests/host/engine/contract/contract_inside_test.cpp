// SPDX-License-Identifier: Apache-2.0
// The contract of container_engine.h, case by case: how it is inside, and how init begins and ends.
#include "tests/host/engine/contract/guest.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <thread>

using namespace berth;
using namespace berth::contract;
namespace fs = std::filesystem;

namespace {

/// A directory with a file `note` in it, which anybody inside could change but for its mount.
struct Directory {
    explicit Directory(const Subject& one) : path(one.scratch / ("shared-" + random_hex(4))) {
        REQUIRE(make_directories(path));
        REQUIRE(write_file_atomically(path / "note", "of the host\n", {.mode = 0666}));
        REQUIRE(::chmod(path.c_str(), 0777) == 0);
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() { (void)remove_tree(path); }

    fs::path path;
};

/// Asks until it is so.
void until(const std::function<bool()>& is_so) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(a_while_ms);
    while (!is_so()) REQUIRE(std::chrono::steady_clock::now() < deadline);
}

}  // namespace

TEST_CASE("init waits for its begin, and what is put in does not", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    constexpr auto a_moment = std::chrono::milliseconds(500);
    Guest guest(*one);
    guest.start_without_init();
    CHECK(guest.answers("hostname", "=" + guest.spec.hostname));
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() < begin + a_moment)
        REQUIRE_FALSE(one->has_begun(guest.spec));
    engine->begin(guest.spec.id);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(a_while_ms);
    while (!one->has_begun(guest.spec)) REQUIRE(std::chrono::steady_clock::now() < deadline);
}

TEST_CASE("a begin that comes while it is started is for nobody", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    const std::jthread late([&](const std::stop_token& stopped) {
        while (!stopped.stop_requested()) engine->begin(guest.spec.id);
    });
    guest.start_without_init();
    CHECK(engine->running(guest.spec.id));
}

TEST_CASE("how an init has ended is told", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    const auto how =
        GENERATE(engine::Ending::clean, engine::Ending::failed, engine::Ending::rebooted);
    CAPTURE(static_cast<int>(how));
    Guest guest(*one);
    guest.start();
    until([&] { return one->has_begun(guest.spec); });
    const auto watch = engine->watch(guest.spec.id).value();
    until([&] {
        if (engine->running(guest.spec.id)) one->end(guest.spec, how);
        return is_readable(watch, 500);
    });
    CHECK_FALSE(engine->running(guest.spec.id));
    CHECK(engine->mounted(guest.spec.id));
    CHECK(engine->ending(guest.spec.id, watch) == how);
    REQUIRE(engine->stop(guest.spec.id, 0));
    guest.start_without_init();
    CHECK(engine->running(guest.spec.id));
}

TEST_CASE("a directory that can be shared is told from what cannot", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    const Directory shared(*one);
    const auto uid_base = one->spec(0).uid_base;
    CHECK(engine->check_share({.allowed = shared.path, .inside = "srv/data"}, uid_base));
    for (const auto& [below, code] : {std::pair("absent", ErrorCode::not_found),
                                      std::pair("note", ErrorCode::invalid_argument)}) {
        CAPTURE(below);
        const auto refused = engine->check_share(
            {.allowed = shared.path, .below = below, .inside = "srv/data"}, uid_base);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == code);
        CHECK(refused.error().field == "/host_path");
    }
}

TEST_CASE("a share is seen inside, and written to only where that is wanted", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    const Directory shared(*one);
    Guest guest(*one, [&](engine::Spec& spec) {
        spec.shares = {{.allowed = shared.path, .inside = "srv/reads"},
                       {.allowed = shared.path, .inside = "srv/writes", .writable = true}};
    });
    guest.start_without_init();
    CHECK(guest.answers("read /srv/reads/note", "=of the host\n"));
    CHECK(guest.answers("write /srv/reads/new", "!EROFS"));
    CHECK_FALSE(fs::exists(shared.path / "new"));
    CHECK(guest.answers("write /srv/writes/new", "="));
    CHECK(guest.answers("read /srv/reads/new", "="));
    // Without them in the next start there is nothing.
    REQUIRE(engine->stop(guest.spec.id, 0));
    guest.spec.shares = {};
    guest.start_without_init();
    CHECK(guest.answers("read /srv/reads/note", "!ENOENT"));
    CHECK(fs::exists(shared.path / "note"));
}

TEST_CASE("the host's files are seen as they are now, and nothing inside changes them",
          "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    const Directory files(*one);
    Guest guest(*one, [&](engine::Spec& spec) { spec.host_files = files.path; });
    guest.start_without_init();
    CHECK(guest.answers(fmt::format("read /{}/note", engine::guest_files), "=of the host\n"));
    CHECK(guest.answers(fmt::format("write /{}/note", engine::guest_files), "!EROFS"));
    CHECK(guest.answers(fmt::format("write /{}/new", engine::guest_files), "!EROFS"));
    REQUIRE(write_file_atomically(files.path / "note", "changed\n", {.mode = 0666}));
    CHECK(guest.answers(fmt::format("read /{}/note", engine::guest_files), "=changed\n"));
}

TEST_CASE("init has the environment that it is given, and privileges as they are wanted",
          "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    const bool refused = GENERATE(false, true);
    CAPTURE(refused);
    Guest guest(*one, [&](engine::Spec& spec) {
        spec.environment = {"CONTRACT=kept, to the letter"};
        spec.no_new_privileges = refused;
    });
    guest.start();
    CHECK(guest.answers("no-new-privileges", refused ? "=1" : "=0"));
    if (const auto environment = one->ask(guest.spec, "read /proc/1/environ"))
        CHECK(("\n" + environment->text.substr(1)).contains("\nCONTRACT=kept, to the letter\n"));
    if (const auto status = one->ask(guest.spec, "read /proc/1/status"))
        CHECK(status->text.contains(refused ? "\nNoNewPrivs:\t1\n" : "\nNoNewPrivs:\t0\n"));
}
