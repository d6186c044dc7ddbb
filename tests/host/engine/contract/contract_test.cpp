// SPDX-License-Identifier: Apache-2.0
// The contract of container_engine.h, case by case: how a container lives. Nothing here knows which
// engine it is.
#include "tests/host/engine/contract/guest.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <stop_token>
#include <thread>

using namespace berth;
using namespace berth::contract;
namespace fs = std::filesystem;

TEST_CASE("of an id that is unknown nothing runs, and to undo is to do nothing", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    CHECK_FALSE(engine->version().empty());
    const std::string id = one->spec(0).id;
    CHECK_FALSE(engine->running(id));
    CHECK_FALSE(engine->frozen(id));
    CHECK_FALSE(is_left(*engine, id));
    CHECK(engine->watch(id).error().code == ErrorCode::unavailable);
    CHECK(engine->init_pid(id).error().code == ErrorCode::unavailable);
    CHECK_FALSE(engine->freeze(id));
    CHECK(engine->thaw(id));
    CHECK(engine->stop(id, 0));
    CHECK(engine->destroy(id));
    CHECK(engine->destroy(id));
}

TEST_CASE("what is created is there and does not run, until it is destroyed", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    const Guest guest(*one);
    CHECK(is_left(*engine, guest.spec.id));
    CHECK_FALSE(engine->running(guest.spec.id));
    REQUIRE(engine->destroy(guest.spec.id));
    CHECK_FALSE(is_left(*engine, guest.spec.id));
    REQUIRE(engine->destroy(guest.spec.id));
    // The id is free again, and so is all that goes with it.
    REQUIRE(engine->create(guest.spec, seeds));
}

TEST_CASE("what is started runs until it is stopped, and can be started again", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    const auto& id = guest.spec.id;
    for (int round = 0; round < 2; ++round) {
        CAPTURE(round);
        guest.start();
        CHECK(engine->running(id));
        CHECK_FALSE(engine->frozen(id));
        CHECK(engine->init_pid(id).value() > 0);
        const auto watch = engine->watch(id);
        REQUIRE(watch);
        CHECK_FALSE(is_readable(*watch));
        REQUIRE(engine->stop(id, round == 0 ? 0 : 20));
        CHECK(is_readable(*watch, a_while_ms));
        CHECK_FALSE(engine->running(id));
        CHECK_FALSE(engine->watch(id));
        CHECK(engine->stop(id, 0));
        CHECK(is_left(*engine, id));
    }
}

TEST_CASE("a kill ends what runs, frozen or not, and leaves the rest to a destroy", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    const bool freeze = GENERATE(false, true);
    Guest guest(*one);
    const auto& id = guest.spec.id;
    guest.start();
    if (freeze) REQUIRE(engine->freeze(id));
    CHECK(engine->kill(id));
    CHECK_FALSE(engine->running(id));
    CHECK(is_left(*engine, id));
    CHECK(engine->kill(id));
    CHECK(engine->destroy(id));
    CHECK_FALSE(is_left(*engine, id));
    CHECK(engine->kill(id));  // of which nothing is left
}

TEST_CASE("what is held still is not frozen, and whoever waits hears of the end", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    const auto& id = guest.spec.id;
    CHECK_FALSE(engine->hold_still(id));
    guest.start();
    CHECK(engine->holds().await_end(id, {}));
    REQUIRE(engine->hold_still(id));
    CHECK(engine->holds().contains(id));
    CHECK_FALSE(engine->frozen(id));
    std::stop_source cancelled;
    cancelled.request_stop();
    CHECK_FALSE(engine->holds().await_end(id, cancelled.get_token()));
    auto waits = std::async(std::launch::async, [&] { return engine->holds().await_end(id, {}); });
    REQUIRE(engine->thaw(id));
    CHECK(waits.get());
    const auto watch = engine->watch(id).value();
    REQUIRE(engine->hold_still(id));
    one->end(guest.spec, engine::Ending::failed);
    CHECK(engine->thaw(id));
    CHECK_FALSE(engine->holds().contains(id));
    CHECK(is_readable(watch, a_while_ms));
    CHECK(engine->hold_still(id).error().code == ErrorCode::unavailable);
}

TEST_CASE("a destroy ends what runs, frozen or not", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    const bool freeze = GENERATE(false, true);
    CAPTURE(freeze);
    Guest guest(*one);
    guest.start();
    const auto watch = engine->watch(guest.spec.id).value();
    if (freeze) REQUIRE(engine->freeze(guest.spec.id));
    REQUIRE(engine->destroy(guest.spec.id));
    CHECK(is_readable(watch, a_while_ms));
    CHECK_FALSE(engine->running(guest.spec.id));
    CHECK_FALSE(engine->frozen(guest.spec.id));
    CHECK_FALSE(is_left(*engine, guest.spec.id));
}

TEST_CASE("an init that ends by itself is noticed, and can be started again", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    guest.start();
    const auto watch = engine->watch(guest.spec.id).value();
    one->end(guest.spec, engine::Ending::failed);
    REQUIRE(is_readable(watch, a_while_ms));
    CHECK_FALSE(engine->running(guest.spec.id));
    REQUIRE(engine->stop(guest.spec.id, 0));  // what its end has left
    guest.start();
    CHECK(engine->running(guest.spec.id));
}

TEST_CASE("a freeze and a thaw may be repeated, and a stop lets go by itself", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    const auto& id = guest.spec.id;
    CHECK_FALSE(engine->freeze(id));  // it does not run
    guest.start();
    for (int round = 0; round < 2; ++round) {
        REQUIRE(engine->freeze(id));
        CHECK(engine->frozen(id));
        CHECK(engine->running(id));
    }
    for (int round = 0; round < 2; ++round) {
        REQUIRE(engine->thaw(id));
        CHECK_FALSE(engine->frozen(id));
    }
    REQUIRE(engine->freeze(id));
    REQUIRE(engine->stop(id, 0));
    CHECK_FALSE(engine->frozen(id));
    guest.start();
    CHECK_FALSE(engine->frozen(id));
}

TEST_CASE("what it uses is told while it runs, and of its disk always", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    const auto stopped = engine->usage(guest.spec);
    REQUIRE(stopped);
    CHECK_FALSE(stopped->running);
    CHECK(stopped->disk.bytes >= 0);
    guest.start();
    const auto used = engine->usage(guest.spec);
    REQUIRE(used);
    REQUIRE(used->running);
    CHECK(used->running->processes >= 1);
    CHECK(used->running->memory_bytes > 0);
}

TEST_CASE("a copy of its changes has what was put in, as it was put in", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    const auto copied = engine->copy_changes(guest.spec, guest.copy, {});
    REQUIRE(copied);
    CHECK(copied->entries >= 4);
    CHECK(read_file(guest.copy / "etc/hostname").value() == "contract\n");
    CHECK(read_file(guest.copy / "srv/made/note").value() == "hello\n");
    struct stat status {};
    REQUIRE(::lstat((guest.copy / "srv/made/note").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0640);
    CHECK(status.st_uid == guest.spec.uid_base);
    CHECK_FALSE(engine->copy_changes(guest.spec, guest.copy, {}));  // it is there already
}

TEST_CASE("a copy that nobody wants, or that has no time left, is none", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    std::stop_source stop;
    stop.request_stop();
    CHECK(engine->copy_changes(guest.spec, guest.copy, {.cancelled = stop.get_token()})
              .error()
              .code == ErrorCode::unavailable);
    (void)remove_tree(guest.copy);
    CHECK(engine->copy_changes(guest.spec, guest.copy, {.deadline = {}}).error().code ==
          ErrorCode::timed_out);
    CHECK(is_left(*engine, guest.spec.id));
}

TEST_CASE("a new root stands on a layer, and takes the old one's place when it is kept",
          "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    REQUIRE(engine->copy_changes(guest.spec, guest.copy, {}));
    const auto before = guest.spec;
    guest.spec.root = {.name = "other",
                       .layers = {{.tree = guest.copy, .uid_base = before.uid_base}}};
    REQUIRE(engine->prepare_root(guest.spec));
    REQUIRE(engine->keep_root(before));  // taken back: the old one is still there
    const auto kept = one->scratch / ("kept-" + random_hex(4));
    REQUIRE(engine->copy_changes(before, kept, {}));
    CHECK(fs::exists(kept / "etc/hostname"));
    REQUIRE(remove_tree(kept));
    REQUIRE(engine->prepare_root(guest.spec));
    REQUIRE(engine->keep_root(guest.spec));
    REQUIRE(engine->keep_root(guest.spec));
    REQUIRE(engine->copy_changes(guest.spec, kept, {}));
    CHECK_FALSE(fs::exists(kept / "etc/hostname"));  // it has changed nothing yet
    REQUIRE(remove_tree(kept));
    guest.start();
    CHECK(engine->running(guest.spec.id));
}

TEST_CASE("a program is put into what runs, with the connection in its hand, and so is the next",
          "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    const Fd program(::open(one->greeter.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(program);
    for (int time = 0; time < 3; ++time) {
        CAPTURE(time);
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
        const Fd ours(ends[0]);
        Fd theirs(ends[1]);
        const auto injected = engine->inject(guest.spec.id, program, theirs);
        if (time == 0) {
            CHECK(injected.error().code == ErrorCode::unavailable);
            guest.start_without_init();
            continue;
        }
        INFO((injected ? "" : injected.error().message));
        REQUIRE(injected);
        theirs.reset();
        REQUIRE(is_readable(ours, a_while_ms));
        char byte = 0;
        CHECK(::read(ours.get(), &byte, 1) == 1);
        CHECK(is_readable(ours, a_while_ms));
        CHECK(::read(ours.get(), &byte, 1) == 0);  // nobody else holds it
        engine->begin(guest.spec.id);
    }
    engine->begin(guest.spec.id);  // has begun
}

TEST_CASE("what runs without its init having begun can be stopped, and started again",
          "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    for (int time = 0; time < 2; ++time) {
        CAPTURE(time);
        engine->begin(guest.spec.id);  // does not run
        guest.start_without_init();
        CHECK(engine->running(guest.spec.id));
        CHECK(engine->stop(guest.spec.id, time));
        CHECK_FALSE(engine->running(guest.spec.id));
    }
}

TEST_CASE("containers come and go at the same time without a word to each other", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    constexpr int count = 3;
    std::atomic<int> fine = 0;
    {
        std::vector<std::jthread> threads;
        for (int number = 0; number < count; ++number) {
            threads.emplace_back([one, engine, number, &fine] {
                const auto spec = one->spec(number);
                const bool ran = engine->create(spec, seeds) && engine->start(spec) &&
                                 engine->running(spec.id) && engine->stop(spec.id, 0);
                const bool gone = engine->destroy(spec.id).has_value();
                fine += ran && gone && !engine->running(spec.id) ? 1 : 0;
            });
        }
    }
    CHECK(fine == count);
    for (int number = 0; number < count; ++number)
        CHECK_FALSE(is_left(*engine, one->spec(number).id));
}
