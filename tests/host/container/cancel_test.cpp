// SPDX-License-Identifier: Apache-2.0
// What others do while a container is made, and what happens when it is no longer wanted.
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <future>

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
            .ports = {{.container_port = 80, .host_port = 8080}},
            .ssh_keys = {}};
}

}  // namespace

TEST_CASE("a create that is cancelled at any step undoes what was begun and says so",
          "[container]") {
    if (!privileged()) return;
    FakeHost host;
    const int step = GENERATE(0, 1, 2, 3);
    CAPTURE(step);
    std::stop_source source;
    const Waiting waiting{.cancelled = source.get_token(),
                          .report = [&](int done, int total, std::string_view doing) {
                              CHECK(done < total);
                              CHECK_FALSE(doing.empty());
                              if (done == step) source.request_stop();
                          }};
    const auto made = host.containers->create(wish("ada"), waiting);
    if (step == 3) {  // all was done by then
        CHECK(made);
        return;
    }
    REQUIRE_FALSE(made);
    CHECK(made.error().code == ErrorCode::unavailable);
    CHECK(made.error().message.contains("was cancelled"));
    host.containers->finish_removals(10s);
    CHECK(host.remaining() == 0);
    CHECK(host.logins.listening.empty());
    CHECK(host.network.applied.empty());
    CHECK(host.containers->list().value().empty());
    CHECK(host.containers->create(wish("ada")));
}

TEST_CASE("a start that is cancelled leaves the container stopped", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada")));
    REQUIRE(host.containers->stop(name("ada"), 0));
    std::stop_source source;
    host.engine.on_call = [&](std::string_view call) {
        if (call == "start") source.request_stop();
    };
    const auto started = host.containers->start(name("ada"), {.cancelled = source.get_token()});
    REQUIRE_FALSE(started);
    CHECK(started.error().code == ErrorCode::unavailable);
    CHECK(host.containers->get(name("ada")).value().state == State::stopped);
    host.engine.on_call = {};
    CHECK(host.containers->start(name("ada")));
}

TEST_CASE("a delete that has begun is finished, however little it is wanted", "[container]") {
    if (!privileged()) return;
    std::stop_source source;  // outlives what removes the remains, which comes by there too
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada")));
    host.engine.on_call = [&](std::string_view) { source.request_stop(); };
    CHECK(host.containers->remove(name("ada"), true, {.cancelled = source.get_token()}));
    CHECK(host.containers->list().value().empty());
}

TEST_CASE("a list does not wait for a create, and a cancelled call for the same name leaves",
          "[container]") {
    if (!privileged()) return;
    FakeHost host;
    std::promise<void> begun, go_on;
    host.engine.on_call = [&](std::string_view call) {
        if (call != "create") return;
        begun.set_value();
        go_on.get_future().wait();
    };
    auto creating =
        std::async(std::launch::async, [&] { return host.containers->create(wish("ada")); });
    begun.get_future().wait();
    // These would hang if they waited.
    CHECK(host.containers->list().value().front().state == State::creating);
    CHECK(host.containers->get(name("ada")).value().state == State::creating);
    std::stop_source source;
    source.request_stop();
    const auto left = host.containers->remove(name("ada"), true, {.cancelled = source.get_token()});
    CHECK(left.error().code == ErrorCode::unavailable);
    go_on.set_value();
    CHECK(creating.get());
}

TEST_CASE("a rehearsal fails as the call would, and changes nothing", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(host.containers->create(wish("ada")));
    auto second = wish("bob");
    const auto same = [](const Error& left, const Error& right) {
        CHECK(left.code == right.code);
        CHECK(left.message == right.message);
        CHECK(left.field == right.field);
        CHECK(left.hint == right.hint);
    };
    SECTION("of a name that is taken") {
        second = wish("ada");
    }
    SECTION("of a port that is taken") {
        second.ports.front().container_port = 81;
    }
    SECTION("of a port that the host itself uses") {
        second.ports.front().host_port = 9090;
        host.network.used_by_host = {9090};
    }
    SECTION("of an image that is not there") {
        second.image = ImageName::parse("nosuch").value();
    }
    const auto rehearsed = host.containers->rehearse_create(second);
    REQUIRE_FALSE(rehearsed);
    same(rehearsed.error(), host.containers->create(second).error());
    CHECK(host.containers->list().value().size() == 1);
}

TEST_CASE("a rehearsal names what would be given, and the call itself gets it", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    const auto would = host.containers->rehearse_create(wish("ada")).value().row;
    const auto made = host.containers->create(wish("ada")).value();
    CHECK(made.row.ipv4 == would.ipv4);
    CHECK(made.row.ssh_port == would.ssh_port);
    const auto port = host.containers->rehearse_add_port(name("ada"), {.container_port = 81});
    CHECK(host.containers->add_port(name("ada"), {.container_port = 81}).value().host_port ==
          port.value().host_port);
}

TEST_CASE("changes are told when they have been made", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    std::mutex mutex;
    std::condition_variable heard_more;
    std::vector<std::string> heard;
    const auto subscription = host.events.subscribe([&](const Json& event) {
        const std::lock_guard lock(mutex);
        heard.push_back(event.at("change").get<std::string>());
        heard_more.notify_all();
    });
    REQUIRE(host.containers->create(wish("ada")));
    REQUIRE(host.containers->stop(name("ada"), 0));
    REQUIRE(host.containers->start(name("ada")));
    REQUIRE(host.containers->add_port(name("ada"), {.container_port = 81}));
    REQUIRE(host.containers->remove_port("tcp", 8080));
    REQUIRE(host.containers->remove(name("ada"), true));
    std::unique_lock lock(mutex);
    heard_more.wait(lock, [&] { return heard.size() == 6; });
    CHECK(heard == std::vector<std::string>{"created", "stopped", "started", "updated", "updated",
                                            "deleted"});
}
