// SPDX-License-Identifier: Apache-2.0
// What becomes of containers without anybody's call. The keeper looks when a test says so, at the
// time that the test says it is.
#include "host/container/keeper.h"

#include "host/warning/kinds.h"
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <future>
#include <thread>

using namespace berth;
using namespace berth::container;
using namespace std::chrono_literals;

namespace {

ContainerName name(std::string_view text) {
    return ContainerName::parse(text).value();
}

CreateWish wish(std::string_view text, store::Lifecycle life = {}) {
    return {.name = name(text),
            .image = ImageName::parse("debian-12").value(),
            .limits = {.memory_bytes = 1 << 26, .cpu_percent = 100, .processes = 100},
            .ports = {{.container_port = 80}},
            .ssh_keys = {},
            .life = life};
}

View seen(FakeHost& host, std::string_view text) {
    return host.containers->get(name(text)).value();
}

bool there(FakeHost& host, std::string_view text) {
    return host.containers->get(name(text)).has_value();
}

/// Until nothing more is due at this time.
void settle(FakeHost& host) {
    for (int round = 0; round < 10; ++round) {
        if (host.keeper->look() > 0ms) return;
    }
    FAIL("the keeper never rests");
}

/// As after an event, which comes by another thread when it comes.
void look_at_all(FakeHost& host) {
    host.keeper = std::make_unique<Keeper>(*host.containers, host.engine, host.clock, host.events,
                                           *host.warnings, std::size_t{0});
    settle(host);
}

/// The warning of that type about `ada`, if there ever was one.
std::optional<store::Warning> warning_of(FakeHost& host, std::string_view type) {
    const auto found = host.warnings
                           ->list({.type = std::string(type),
                                   .entity = warning::container_entity("ada"),
                                   .acknowledged = true})
                           .value();
    return found.warnings.empty() ? std::nullopt : std::optional(found.warnings.front());
}

/// Ends `ada`, and lets the keeper start it again; its delays are shorter than this by far.
void end_and_come_back(FakeHost& host, engine::Ending how = engine::Ending::failed) {
    host.engine.end_by_itself(seen(host, "ada").row.id, how);
    settle(host);
    host.clock.advance(30s);
    settle(host);
    REQUIRE(seen(host, "ada").state == State::running);
}

}  // namespace

TEST_CASE("a container that ends by itself comes back as its policy says", "[keeper]") {
    if (!privileged()) return;
    using enum engine::Ending;
    using enum store::Restart;
    struct Case {
        store::Restart restart;
        engine::Ending ending;
        bool back;
    };
    const auto [restart, ending, back] = GENERATE(
        Case{no, clean, false}, Case{no, failed, false}, Case{no, rebooted, true},
        Case{on_failure, clean, false}, Case{on_failure, failed, true},
        Case{on_failure, unknown, true}, Case{always, clean, true}, Case{always, failed, true});
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada", {.restart = restart})));
    const bool adopted = GENERATE(false, true);
    if (adopted) host.restart();
    settle(host);
    const auto before = seen(host, "ada").row;
    host.engine.end_by_itself(before.id, ending);
    settle(host);
    if (ending != rebooted) CHECK(seen(host, "ada").state == State::stopped);
    CHECK(host.logins.listening.empty() != (ending == rebooted));
    host.clock.advance(1s);
    settle(host);
    const auto after = seen(host, "ada");
    CHECK(after.state == (back ? State::running : State::stopped));
    CHECK(after.row.wanted_running == back);
    CHECK(after.row.last_end.at > 0);
    CHECK_FALSE(after.row.last_end.how.empty());
    CHECK(after.row.last_end.restarts == (back && ending != rebooted ? 1 : 0));
    CHECK(host.logins.listening.size() == (back ? 1 : 0));
}

TEST_CASE("a container that ends while berthd does not run comes back as its policy says",
          "[keeper]") {
    if (!privileged()) return;
    using enum store::Restart;
    const auto restart = GENERATE(no, on_failure, always);
    const bool back = restart != no;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada", {.restart = restart})));
    const auto id = seen(host, "ada").row.id;
    const int start = GENERATE(0, 1, 2);
    CAPTURE(start);
    if (start == 1) {  // by a call
        REQUIRE(host.containers->stop(name("ada"), 0));
        REQUIRE(host.containers->start(name("ada")));
    }
    if (start == 2) {  // by the host's, before which a berthd was to stop it and was killed
        REQUIRE(store::Containers(*host.database).set_none_up());
        host.restart();
    }
    host.engine.end_by_itself(id, engine::Ending::clean);
    host.restart();  // which sees no more than that it is gone
    CHECK(seen(host, "ada").row.last_end.how == "unknown");
    settle(host);
    CHECK(seen(host, "ada").state == (back ? State::running : State::stopped));
    CHECK(seen(host, "ada").row.wanted_running == back);
    CHECK(seen(host, "ada").row.last_end.restarts == (back ? 1 : 0));
    host.engine.lose_power();
    host.restart();
    settle(host);
    CHECK(seen(host, "ada").state == (back ? State::running : State::stopped));
}

TEST_CASE("a start that the end of berthd cuts short is made up for", "[keeper]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada")));  // of the policy no
    settle(host);
    const auto id = seen(host, "ada").row.id;
    const bool rebooted = GENERATE(true, false);
    if (rebooted) host.engine.end_by_itself(id, engine::Ending::rebooted);
    if (!rebooted) host.engine.lose_power();
    if (!rebooted) host.restart();
    host.engine.fail_next("start");
    settle(host);
    CHECK(seen(host, "ada").state == State::stopped);
    host.restart();
    settle(host);
    CHECK(seen(host, "ada").state == State::running);
}

TEST_CASE("one that keeps ending is started ever more seldom", "[keeper]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada", {.restart = store::Restart::always})));
    settle(host);
    const auto id = seen(host, "ada").row.id;
    for (const auto delay : {1s, 2s, 4s, 8s}) {
        host.engine.end_by_itself(id, engine::Ending::failed);
        settle(host);
        host.clock.advance(delay - 500ms);
        settle(host);
        CHECK(seen(host, "ada").state == State::stopped);
        host.clock.advance(500ms);
        settle(host);
        CHECK(seen(host, "ada").state == State::running);
    }
    host.clock.advance(10min);
    host.engine.end_by_itself(id, engine::Ending::failed);
    settle(host);
    host.clock.advance(1s);
    settle(host);
    CHECK(seen(host, "ada").state == State::running);
}

TEST_CASE("one that keeps ending is a warning, until it has stayed up", "[keeper]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada", {.restart = store::Restart::always})));
    settle(host);
    for (const int ends : {1, 2, 3, 4}) {
        CHECK(warning_of(host, warning::container_flapping).has_value() == ends > 3);
        end_and_come_back(host);
    }
    const auto flapping = warning_of(host, warning::container_flapping).value();
    CHECK(flapping.severity == store::Severity::error);
    CHECK(flapping.status == store::WarningStatus::fresh);
    CHECK(flapping.count == 2);
    CHECK(flapping.message.contains("'ada'"));
    const auto status = [&] { return warning_of(host, warning::container_flapping)->status; };
    SECTION("by the clock") {
        host.clock.advance(9min);
        settle(host);
        CHECK(status() == store::WarningStatus::fresh);
        host.clock.advance(1min);
        settle(host);
        CHECK(status() == store::WarningStatus::resolved);
        end_and_come_back(host);
        CHECK(status() == store::WarningStatus::resolved);
    }
    SECTION("also when berthd was restarted meanwhile") {
        host.restart();
        settle(host);
        CHECK(status() == store::WarningStatus::fresh);
        host.clock.advance(10min);
        settle(host);
        CHECK(status() == store::WarningStatus::resolved);
    }
    SECTION("or is not to run any more") {
        REQUIRE(host.containers->stop(name("ada"), 0));
        look_at_all(host);
        CHECK(status() == store::WarningStatus::resolved);
    }
    SECTION("or is gone") {
        REQUIRE(host.containers->remove(name("ada"), true));
        CHECK(status() == store::WarningStatus::resolved);
    }
    SECTION("and acknowledged, it is counted and not listed") {
        REQUIRE(host.warnings->acknowledge(flapping.id));
        end_and_come_back(host);
        CHECK(status() == store::WarningStatus::acknowledged);
        CHECK(warning_of(host, warning::container_flapping)->count == 3);
        CHECK(host.warnings->list({}).value().total == 0);
    }
}

TEST_CASE("one that ends now and then, or reboots, is not flapping", "[keeper]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada", {.restart = store::Restart::always})));
    settle(host);
    const bool reboots = GENERATE(false, true);
    for (int end = 0; end < 5; ++end) {
        if (!reboots) host.clock.advance(10min);
        end_and_come_back(host, reboots ? engine::Ending::rebooted : engine::Ending::failed);
    }
    CHECK_FALSE(warning_of(host, warning::container_flapping));
}

TEST_CASE("what was stopped by a call stays stopped", "[keeper]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada", {.restart = store::Restart::always})));
    settle(host);
    REQUIRE(host.containers->stop(name("ada"), 0));
    host.clock.advance(1h);
    look_at_all(host);
    CHECK(seen(host, "ada").state == State::stopped);
    CHECK(seen(host, "ada").row.last_end.at == 0);
    host.engine.lose_power();
    host.restart();
    settle(host);
    CHECK(seen(host, "ada").state == State::stopped);
}

TEST_CASE("after a reboot of the host those that were running are back, with all that was theirs",
          "[keeper]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada")));
    REQUIRE(host.containers->create(wish("bob")));
    REQUIRE(host.containers->stop(name("bob"), 0));
    const auto before = seen(host, "ada");
    host.engine.lose_power();
    host.restart();
    settle(host);
    const auto after = seen(host, "ada");
    CHECK(after.state == State::running);
    CHECK(after.row.ipv4 == before.row.ipv4);
    CHECK(after.row.ssh_port == before.row.ssh_port);
    CHECK(after.row.host_key == before.row.host_key);
    CHECK(after.ports.front().host_port == before.ports.front().host_port);
    CHECK(host.logins.listening.size() == 1);
    CHECK(seen(host, "bob").state == State::stopped);
}

TEST_CASE("a start that fails is a warning and is tried again later", "[keeper]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada")));
    host.engine.lose_power();
    host.engine.fail_next("start");
    host.restart();
    settle(host);
    CHECK(seen(host, "ada").state == State::stopped);
    const auto failed = warning_of(host, warning::container_not_started);
    REQUIRE(failed);
    CHECK(failed->status == store::WarningStatus::fresh);
    CHECK(failed->message.contains("made to fail"));
    SECTION("until it succeeds") {
        host.clock.advance(1s);
        settle(host);
        CHECK(seen(host, "ada").state == State::running);
    }
    SECTION("unless it is not wanted any more") {
        REQUIRE(host.containers->stop(name("ada"), 0));
    }
    CHECK(warning_of(host, warning::container_not_started)->status ==
          store::WarningStatus::resolved);
}

TEST_CASE("one that is stopped to be started again is, whatever ends while it shuts down",
          "[keeper]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada")));  // of the policy no
    settle(host);
    const auto id = seen(host, "ada").row.id;
    REQUIRE(store::Containers(*host.database).set_restarting(id, true));
    const auto how = GENERATE(0, 1, 2);
    if (how == 0) host.engine.end_by_itself(id, engine::Ending::clean);
    if (how == 1) host.engine.lose_power();
    host.restart();  // and with 2 berthd alone has ended
    host.clock.advance(30s);
    look_at_all(host);
    host.clock.advance(30s);
    settle(host);
    CHECK(seen(host, "ada").state == State::running);
    CHECK_FALSE(seen(host, "ada").row.restarting);
    CHECK(seen(host, "ada").row.last_end.at == 0);  // it has not ended by itself
}

TEST_CASE("a container goes when its time is over, unless it is protected", "[keeper]") {
    if (!privileged()) return;
    FakeHost host;
    auto wanted = wish("ada");
    wanted.ttl_seconds = 3600;
    wanted.life.is_protected = GENERATE(false, true);
    REQUIRE(host.containers->create(wanted));
    settle(host);
    host.clock.advance(59min);
    settle(host);
    CHECK(there(host, "ada"));
    host.restart();  // the time is kept
    host.clock.advance(1min);
    settle(host);
    CHECK(there(host, "ada") == wanted.life.is_protected);
    if (!wanted.life.is_protected) {
        CHECK(host.remaining() == 0);
        return;
    }
    REQUIRE(host.containers->update(name("ada"), {.is_protected = false}));
    look_at_all(host);
    CHECK_FALSE(there(host, "ada"));
}

TEST_CASE("a container that nobody uses is stopped, and a use is what counts as one", "[keeper]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada", {.idle_stop_seconds = 600})));
    settle(host);
    const auto id = seen(host, "ada").row.id;
    host.clock.advance(9min);
    settle(host);
    SECTION("nobody does") {}
    SECTION("a command ran") {
        REQUIRE(host.containers->run(name("ada"), {.launch = {.argv = {"true"}}}, {}));
        host.clock.advance(9min);
        settle(host);
        CHECK(seen(host, "ada").state == State::running);
    }
    SECTION("a command runs") {
        const auto row = seen(host, "ada").row;
        const auto use = host.containers->use(row);
        host.clock.advance(24h);
        settle(host);
        CHECK(seen(host, "ada").state == State::running);
    }
    SECTION("a login is open") {
        host.logins.open_logins.insert(id);
        host.clock.advance(24h);
        settle(host);
        CHECK(seen(host, "ada").state == State::running);
        host.logins.open_logins.clear();
        host.clock.advance(9min);
        settle(host);
        CHECK(seen(host, "ada").state == State::running);
    }
    SECTION("berthd starts anew, and then nobody does") {
        host.restart();
        settle(host);
        CHECK(seen(host, "ada").state == State::running);
        host.clock.advance(1min);  // what was not written down yet might have been a use
    }
    host.clock.advance(10min);
    settle(host);
    CHECK(seen(host, "ada").state == State::stopped);
    CHECK_FALSE(seen(host, "ada").row.wanted_running);
}

TEST_CASE("one that goes after its stop goes however it stopped", "[keeper]") {
    if (!privileged()) return;
    FakeHost host;
    auto wanted = wish("ada", {.after_stop = store::AfterStop::remove});
    wanted.start = GENERATE(true, false);
    REQUIRE(host.containers->create(wanted));
    if (!wanted.start) {
        look_at_all(host);
        REQUIRE(there(host, "ada"));
        REQUIRE(host.containers->start(name("ada")));
    }
    look_at_all(host);
    SECTION("by a call") {
        REQUIRE(host.containers->stop(name("ada"), 0));
    }
    SECTION("by itself") {
        host.engine.end_by_itself(seen(host, "ada").row.id, engine::Ending::clean);
        settle(host);
    }
    SECTION("just before berthd ended") {
        REQUIRE(host.containers->stop(name("ada"), 0));
        host.restart();
    }
    look_at_all(host);
    CHECK_FALSE(there(host, "ada"));
}

TEST_CASE("with its threads the keeper notices an end without being told", "[keeper]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada")));
    std::promise<void> ended;
    const auto subscription = host.events.subscribe([&](const Json& event) {
        if (event.at("change") == "ended") ended.set_value();
    });
    std::promise<void> watched;
    std::once_flag once;
    host.engine.on_call = [&](std::string_view call) {
        if (call == "watch") std::call_once(once, [&] { watched.set_value(); });
    };
    Keeper keeper(*host.containers, host.engine, host.clock, host.events, *host.warnings);
    keeper.start();
    watched.get_future().wait();
    host.engine.end_by_itself(seen(host, "ada").row.id, engine::Ending::clean);
    ended.get_future().wait();
    CHECK(seen(host, "ada").state == State::stopped);
}

TEST_CASE("all containers are stopped at once, and are wanted all the same", "[keeper]") {
    if (!privileged()) return;
    FakeHost host;
    for (const auto* box : {"ada", "bob", "cyd"}) REQUIRE(host.containers->create(wish(box)));
    std::atomic<int> waiting = 0;
    host.engine.on_call = [&](std::string_view call) {
        if (call != "stop") return;
        ++waiting;
        while (waiting < 3) std::this_thread::yield();  // hangs if they came one after another
    };
    host.containers->stop_all(5s);
    host.engine.on_call = {};
    CHECK(host.logins.listening.empty());
    const auto stopped = host.containers->list().value();
    for (const auto& view : stopped) {
        CHECK(view.state == State::stopped);
        CHECK(view.row.wanted_running);
    }
    host.restart();
    settle(host);
    const auto started = host.containers->list().value();
    for (const auto& view : started) CHECK(view.state == State::running);
}
