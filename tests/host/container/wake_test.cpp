// SPDX-License-Identifier: Apache-2.0
// Containers that are started because somebody uses them.
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <atomic>
#include <thread>
#include <vector>

using namespace berth;
using namespace berth::container;

namespace {

ContainerName name(std::string_view text) {
    return ContainerName::parse(text).value();
}

store::Container made(FakeHost& host) {
    return host.containers
        ->create({.name = name("ada"),
                  .image = ImageName::parse("debian-12").value(),
                  .limits = {.memory_bytes = 1 << 26, .cpu_percent = 100, .processes = 100},
                  .ports = {},
                  .ssh_keys = {}})
        .value()
        .row;
}

Result<exec::Outcome> run_there(FakeHost& host) {
    return host.containers->run(name("ada"), {.launch = {.argv = {"true"}}}, {});
}

/// Runs that in so many threads at once, and says how often it went well.
int together(int count, const std::function<bool()>& work) {
    std::atomic<int> fine = 0;
    {
        std::vector<std::jthread> threads;
        for (int number = 0; number < count; ++number)
            threads.emplace_back([&] { fine += work() ? 1 : 0; });
    }
    return fine;
}

}  // namespace

TEST_CASE("a command wakes a stopped container that is to be woken, and no other", "[wake]") {
    if (!privileged()) return;
    FakeHost host;
    (void)made(host);
    REQUIRE(host.containers->stop(name("ada"), 0));
    CHECK(run_there(host).error().hint == R"(call container_start {"name":"ada"})");
    REQUIRE(host.containers->update(name("ada"), {.wake = true}));
    CHECK(run_there(host).value().exit_code == 0);
    CHECK(host.containers->get(name("ada")).value().state == State::running);
    REQUIRE(host.containers->stop(name("ada"), 0));
    host.restart();
    CHECK(run_there(host).value().exit_code == 0);
}

TEST_CASE("many who come at once wake a container once", "[wake]") {
    if (!privileged()) return;
    FakeHost host;
    (void)made(host);
    REQUIRE(host.containers->update(name("ada"), {.wake = true}));
    REQUIRE(host.containers->stop(name("ada"), 0));
    std::atomic<int> starts = 0;
    host.engine.on_call = [&starts](std::string_view call) {
        if (call != "start") return;
        ++starts;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    };
    SECTION("and all are served") {
        CHECK(together(16, [&host] { return run_there(host).has_value(); }) == 16);
        CHECK(starts == 1);
    }
    SECTION("and all are told why it could not be") {
        host.engine.fail_next("start");
        std::atomic<int> told = 0;
        const auto served = together(16, [&] {
            const auto ran = run_there(host);
            if (!ran && ran.error().message.contains("made to fail")) ++told;
            return ran.has_value();
        });
        // Whoever came after that try has tried again.
        CHECK(told >= 1);
        CHECK(told + served == 16);
        CHECK(starts <= 2);
        CHECK(run_there(host));
    }
}

TEST_CASE("a login wakes a stopped container, also after a restart of berthd", "[wake]") {
    if (!privileged()) return;
    FakeHost host;
    const auto id = made(host).id;
    REQUIRE(host.containers->stop(name("ada"), 0));
    CHECK(host.logins.asleep.empty());
    REQUIRE(host.containers->update(name("ada"), {.wake = true}));
    if (GENERATE(false, true)) host.restart();
    REQUIRE(host.logins.asleep.contains(id));
    const auto wake = host.logins.asleep.at(id);
    CHECK(wake({}));
    CHECK(wake({}));
    CHECK(host.logins.listening.contains(id));
    CHECK(host.containers->get(name("ada")).value().state == State::running);
    REQUIRE(host.containers->stop(name("ada"), 0));
    CHECK(host.logins.asleep.contains(id));
    REQUIRE(host.containers->update(name("ada"), {.wake = false}));
    CHECK(host.logins.asleep.empty());
    CHECK_FALSE(wake({}));
    CHECK(host.containers->get(name("ada")).value().state == State::stopped);
}

TEST_CASE("who logs in while a container stops waits, and is never refused", "[wake]") {
    if (!privileged()) return;
    FakeHost host;
    const auto id = made(host).id;
    REQUIRE(host.containers->update(name("ada"), {.wake = true}));
    bool asleep_already = false;
    host.engine.on_call = [&](std::string_view call) {
        if (call.starts_with("stop")) asleep_already = host.logins.asleep.contains(id);
    };
    REQUIRE(host.containers->stop(name("ada"), 0));
    CHECK(asleep_already);
}

TEST_CASE("a container that was stopped because nobody used it is woken", "[wake]") {
    if (!privileged()) return;
    FakeHost host;
    (void)made(host);
    REQUIRE(host.containers->update(name("ada"), {.idle_stop_seconds = 60, .wake = true}));
    host.clock.advance(std::chrono::seconds(120));
    (void)host.keeper->look();
    CHECK(host.containers->get(name("ada")).value().state == State::stopped);
    CHECK(run_there(host).value().exit_code == 0);
    (void)host.keeper->look();
    CHECK(host.containers->get(name("ada")).value().state == State::running);
}
