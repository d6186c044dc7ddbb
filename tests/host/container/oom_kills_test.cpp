// SPDX-License-Identifier: Apache-2.0
// What is told of a process that was killed for want of memory.
#include "host/warning/kinds.h"
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

using namespace berth;
using namespace berth::container;

TEST_CASE("a kill in a container is a warning by name until it has more memory", "[oom]") {
    if (!privileged()) return;
    FakeHost host;
    const auto name = ContainerName::parse("ada").value();
    const auto row =
        host.containers
            ->create({.name = name,
                      .image = ImageName::parse("debian-12").value(),
                      .limits = {.memory_bytes = 1 << 26, .cpu_percent = 100, .processes = 100},
                      .ports = {},
                      .ssh_keys = {}})
            .value()
            .row;
    const auto entities = [&host] {
        return host.warnings->entities(std::string(warning::out_of_memory));
    };
    host.containers->note_oom_kill({.process = "of-nobody", .uid = 0, .of_own_limit = true});
    CHECK(entities().empty());
    const OomKill kill{
        .process = "python3", .uid = static_cast<uid_t>(row.uid_base + 1000), .of_own_limit = true};
    for (int count = 0; count < 5; ++count) host.containers->note_oom_kill(kill);
    REQUIRE(entities().contains("container/ada"));
    CHECK(host.containers->last_oom_kill(row.id)->process == "python3");
    const auto page = host.warnings->list({}).value();
    REQUIRE(page.total == 1);
    CHECK(page.warnings.front().count == 1);  // of many in a moment one is written down
    CHECK(page.warnings.front().message.find("python3") != std::string::npos);
    CHECK(page.warnings.front().message.find("64 MiB") != std::string::npos);
    host.clock.advance(std::chrono::seconds(2));
    host.containers->note_past_oom_kill(kill, std::chrono::hours(1), false);  // of who had its uids
    host.containers->note_past_oom_kill(kill, std::chrono::milliseconds(1), true);
    CHECK(host.warnings->list({}).value().warnings.front().count == 1);
    host.clock.advance(std::chrono::seconds(2));
    host.containers->note_oom_kill(kill);
    CHECK(host.warnings->list({}).value().warnings.front().count == 2);
    REQUIRE(host.containers->update(name, {.limits = {.memory_bytes = 1 << 25}}));
    CHECK_FALSE(entities().empty());
    REQUIRE(host.containers->update(name, {.limits = {.memory_bytes = 1 << 27}}));
    CHECK(entities().empty());
    REQUIRE(host.containers->remove(name, true));
    CHECK_FALSE(host.containers->last_oom_kill(row.id));
}
