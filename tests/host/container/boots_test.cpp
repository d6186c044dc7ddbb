// SPDX-License-Identifier: Apache-2.0
#include "host/container/boots.h"

#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <optional>
#include <thread>

using namespace berth;
using namespace berth::container;

namespace {

CreateWish wish(std::string_view name) {
    return {.name = ContainerName::parse(name).value(),
            .image = ImageName::parse("debian-12").value(),
            .limits = {.memory_bytes = 1 << 26, .cpu_percent = 100, .processes = 100},
            .ports = {},
            .ssh_keys = {}};
}

bool begins(FakeHost& host, const std::string& id) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!host.engine.has_begun(id) && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return host.engine.has_begun(id);
}

}  // namespace

TEST_CASE("the init of a container begins once no create is under way", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    std::optional<UnderWay::One> other(host.containers->creates_under_way());
    const auto made = host.containers->create(wish("ada"));
    REQUIRE(made);
    CHECK_FALSE(host.engine.has_begun(made->row.id));
    other.reset();
    CHECK(begins(host, made->row.id));
}

TEST_CASE("an init does not wait for good, however many creates there are", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    const UnderWay::One other(host.containers->creates_under_way());
    const auto made = host.containers->create(wish("ada"));
    REQUIRE(made);
    CHECK(begins(host, made->row.id));
}

TEST_CASE("a container that is started again begins its init again", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    const auto made = host.containers->create(wish("ada"));
    REQUIRE(made);
    REQUIRE(begins(host, made->row.id));
    REQUIRE(host.containers->stop(wish("ada").name, 0, {}));
    CHECK_FALSE(host.engine.has_begun(made->row.id));
    REQUIRE(host.containers->start(wish("ada").name));
    CHECK(begins(host, made->row.id));
}
