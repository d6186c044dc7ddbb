// SPDX-License-Identifier: Apache-2.0
#include "host/container/boots.h"

#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <chrono>
#include <optional>

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

constexpr std::chrono::seconds a_while{20};

}  // namespace

TEST_CASE("the init of a container begins once no create is under way", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    std::optional<UnderWay::One> other(host.containers->creates_under_way());
    const auto made = host.containers->create(wish("ada"));
    REQUIRE(made);
    CHECK_FALSE(host.engine.has_begun(made->row.id));
    other.reset();
    CHECK(host.engine.has_begun(made->row.id, a_while));
}

TEST_CASE("an init does not wait for good, however many creates there are", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    const UnderWay::One other(host.containers->creates_under_way());
    const auto made = host.containers->create(wish("ada"));
    REQUIRE(made);
    CHECK(host.engine.has_begun(made->row.id, a_while));
}

TEST_CASE("a container that is started again begins its init again", "[container]") {
    if (!privileged()) return;
    FakeHost host;
    const auto made = host.containers->create(wish("ada"));
    REQUIRE(made);
    REQUIRE(host.engine.has_begun(made->row.id, a_while));
    REQUIRE(host.containers->stop(wish("ada").name, 0, {}));
    CHECK_FALSE(host.engine.has_begun(made->row.id));
    REQUIRE(host.containers->start(wish("ada").name));
    CHECK(host.engine.has_begun(made->row.id, a_while));
}
