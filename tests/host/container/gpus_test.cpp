// SPDX-License-Identifier: Apache-2.0
// Who holds a GPU, and what a start makes of it: the real service, store and parsers on a made-up
// machine with four NVIDIA cards.
#include "host/gpu/cdi.h"
#include "host/warning/kinds.h"
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>

using namespace berth;

namespace {

/// The fake host's own card is 0000:41:00.0; three more, with the driver that makes their nodes.
void furnish(const FakeHost& host) {
    for (const auto* address : {"0000:42:00.0", "0000:43:00.0", "0000:44:00.0"})
        host.sysfs.add(
            {.address = address, .pci_class = 0x0302, .vendor = 0x10de, .device = 0x2330});
    int minor = 3;  // not the order of the bus
    for (const auto* address : {"0000:41:00.0", "0000:42:00.0", "0000:43:00.0", "0000:44:00.0"}) {
        host.sysfs.bind(address, "nvidia");
        host.sysfs.write(fmt::format("proc/driver/nvidia/gpus/{}/information", address),
                         fmt::format("Model: \t\t H100\nGPU UUID: \t GPU-{}0000-0000-0000-0000-"
                                     "000000000000\nDevice Minor: \t {}\n",
                                     std::string(address).substr(5, 2) + "00", minor--));
    }
    host.sysfs.write("proc/devices",
                     "Character devices:\n  1 mem\n195 nvidia\n195 nvidiactl\n510 nvidia-uvm\n");
}

Result<Json> call(FakeHost& host, std::string_view tool, const Json& arguments) {
    return host.registry->invoke(tool, arguments, {});
}

Json gpus_of(FakeHost& host, const std::string& name) {
    return call(host, "container_get", {{"name", name}, {"response_format", "detailed"}})
        .value()
        .value("gpus", Json::array());
}

std::string id_of(FakeHost& host, const std::string& name) {
    return store::Containers(*host.database).find_by_name(name).value()->id;
}

std::uint32_t minor_of(FakeHost& host, const std::string& name, const std::string& path) {
    return host.engine.devices[id_of(host, name)].at(path).minor;
}

}  // namespace

TEST_CASE("two containers never hold one GPU, and who comes late is told who has it", "[gpus]") {
    FakeHost host;
    furnish(host);
    REQUIRE(call(host, "container_create",
                 {{"name", "ada"}, {"gpus", {"41:00.0"}}, {"ttl_seconds", 3600}}));
    CHECK(gpus_of(host, "ada") == Json{"0000:41:00.0"});
    const auto late = call(host, "container_create", {{"name", "bob"}, {"gpus", {"0"}}});
    REQUIRE_FALSE(late);
    CHECK(late.error().code == ErrorCode::busy);
    CHECK(late.error().field == "/gpus/0");
    CHECK(late.error().message.contains("container 'ada' since 20"));
    CHECK(late.error().message.contains("at the latest"));
    CHECK_FALSE(call(host, "container_get", {{"name", "bob"}}));  // nothing was begun
    const auto listed = call(host, "gpu_list", {{"response_format", "detailed"}}).value();
    CHECK(listed["gpus"][0]["held_by"] == "ada");
    CHECK_FALSE(listed["gpus"][1].contains("held_by"));
}

TEST_CASE("of 50 creates at once over 4 GPUs exactly 4 win", "[gpus]") {
    FakeHost host;
    furnish(host);
    std::atomic<int> won = 0, refused = 0;
    std::vector<std::jthread> all;
    for (int number = 0; number < 50; ++number) {
        all.emplace_back([&, number] {
            const auto made = call(host, "container_create",
                                   {{"name", fmt::format("c{}", number)},
                                    {"gpus", {"vendor=nvidia"}},
                                    {"start", false}});
            if (made) ++won;
            if (!made && made.error().code == ErrorCode::busy) ++refused;
        });
    }
    all.clear();
    CHECK(won == 4);
    CHECK(refused == 46);
    std::set<std::string> held;
    const auto holders = host.containers->gpu_holders().value();
    for (const auto& [gpu, name] : holders) held.insert(gpu.to_string() + name);
    CHECK(held.size() == 4);
}

TEST_CASE("a GPU is free again when its container is deleted, and not before", "[gpus]") {
    FakeHost host;
    furnish(host);
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"gpus", {"0"}}}));
    REQUIRE(call(host, "container_stop", {{"name", "ada"}}));
    CHECK_FALSE(call(host, "container_create", {{"name", "bob"}, {"gpus", {"0"}}}));
    host.restart();  // nor by a crash
    CHECK_FALSE(call(host, "container_create", {{"name", "bob"}, {"gpus", {"0"}}}));
    REQUIRE(call(host, "container_delete", {{"name", "ada"}}));
    CHECK(call(host, "container_create", {{"name", "bob"}, {"gpus", {"0"}}}));
}

TEST_CASE("a start finds the nodes anew, whatever numbers the kernel has given", "[gpus]") {
    FakeHost host;
    furnish(host);
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"gpus", {"0000:41:00.0"}}}));
    CHECK(minor_of(host, "ada", "/dev/nvidia3") == 3);
    REQUIRE(call(host, "container_stop", {{"name", "ada"}}));
    host.sysfs.write("proc/driver/nvidia/gpus/0000:41:00.0/information",
                     "Model: \t\t H100\nGPU UUID: \t GPU-41000000-0000-0000-0000-000000000000\n"
                     "Device Minor: \t 7\n");
    REQUIRE(call(host, "container_start", {{"name", "ada"}}));
    CHECK(minor_of(host, "ada", "/dev/nvidia7") == 7);
    CHECK_FALSE(host.engine.devices[id_of(host, "ada")].contains("/dev/nvidia3"));
}

TEST_CASE("a GPU that is gone or another card refuses the start, and is a warning with candidates",
          "[gpus]") {
    FakeHost host;
    furnish(host);
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"gpus", {"0000:41:00.0"}}}));
    REQUIRE(call(host, "container_stop", {{"name", "ada"}}));
    host.sysfs.remove("bus/pci/devices/0000:41:00.0");
    host.sysfs.write("proc/driver/nvidia/gpus/0000:44:00.0/information",
                     "Model: \t\t H100\nGPU UUID: \t GPU-41000000-0000-0000-0000-000000000000\n"
                     "Device Minor: \t 7\n");
    const auto start = call(host, "container_start", {{"name", "ada"}});
    REQUIRE_FALSE(start);
    CHECK(start.error().code == ErrorCode::unavailable);
    CHECK(start.error().message.contains("not in this machine any more"));
    CHECK(start.error().message.contains("0000:44:00.0"));
    const auto warned = call(host, "warning_list", {{"entity", "container/ada"}}).value();
    REQUIRE(warned["total"] == 1);
    CHECK(warned["warnings"][0]["type"] == warning::gpu_unusable);
    // What the error says to do does help.
    REQUIRE(call(host, "gpu_detach", {{"container", "ada"}, {"gpus", {"0000:41:00.0"}}}));
    REQUIRE(call(host, "gpu_attach", {{"container", "ada"}, {"gpus", {"44:00.0"}}}));
    REQUIRE(call(host, "container_start", {{"name", "ada"}}));
    CHECK(call(host, "warning_list", {{"entity", "container/ada"}})
              .value()["warnings"][0]["status"] == "resolved");
}

TEST_CASE("a running container gets a GPU and gives it back, and shared nodes stay", "[gpus]") {
    FakeHost host;
    furnish(host);
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"gpus", {"0"}}}));
    auto& devices = host.engine.devices[id_of(host, "ada")];
    const Json more = {{"container", "ada"}, {"gpus", {"1"}}};
    const auto dry =
        call(host, "gpu_attach", {{"container", "ada"}, {"gpus", {"1"}}, {"dry_run", true}});
    REQUIRE(dry);
    CHECK(devices.contains("/dev/nvidia3"));
    CHECK_FALSE(devices.contains("/dev/nvidia2"));
    CHECK(call(host, "gpu_attach", more).value()["gpus"] == Json{"0000:41:00.0", "0000:42:00.0"});
    CHECK(devices.contains("/dev/nvidia2"));
    CHECK(call(host, "gpu_attach", more).value()["gpus"].size() == 2);  // again changes nothing
    REQUIRE(call(host, "gpu_detach", more));
    CHECK_FALSE(devices.contains("/dev/nvidia2"));
    CHECK(devices.contains("/dev/nvidiactl"));
    CHECK(gpus_of(host, "ada") == Json{"0000:41:00.0"});
    host.engine.open_device = "/dev/nvidia3";
    const auto busy = call(host, "gpu_detach", {{"container", "ada"}, {"gpus", {"0"}}});
    REQUIRE_FALSE(busy);
    CHECK(busy.error().code == ErrorCode::busy);
    CHECK(gpus_of(host, "ada") == Json{"0000:41:00.0"});
    CHECK(devices.contains("/dev/nvidia3"));
}

TEST_CASE("an attach that fails half-way leaves nothing behind", "[gpus]") {
    FakeHost host;
    furnish(host);
    REQUIRE(call(host, "container_create", {{"name", "ada"}}));
    host.engine.fail_next("device");
    CHECK_FALSE(call(host, "gpu_attach", {{"container", "ada"}, {"gpus", {"0"}}}));
    CHECK(gpus_of(host, "ada").empty());
    const auto taken = call(host, "gpu_attach", {{"container", "ada"}, {"gpus", {"0", "9"}}});
    REQUIRE_FALSE(taken);
    CHECK(taken.error().field == "/gpus/1");
    CHECK(gpus_of(host, "ada").empty());
}

TEST_CASE("a fork has no GPU of the container that it is made from", "[gpus]") {
    FakeHost host;
    furnish(host);
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"gpus", {"0"}}}));
    REQUIRE(call(host, "container_fork", {{"container", "ada"}, {"names", {"eve"}}}));
    CHECK(gpus_of(host, "eve").empty());
    CHECK(gpus_of(host, "ada") == Json{"0000:41:00.0"});
}

TEST_CASE("a CDI device gives its nodes and variables, and what berth cannot do is refused",
          "[gpus]") {
    FakeHost host;
    host.sysfs.write("etc-cdi/acme.json", R"({"cdiVersion": "0.6.0", "kind": "acme.com/card",
        "devices": [
          {"name": "a", "containerEdits": {"env": ["ACME=1"], "deviceNodes":
             [{"path": "/dev/acme0", "type": "c", "major": 1, "minor": 3}]}},
          {"name": "b", "containerEdits": {"hooks": [{"hookName": "createContainer", "path": "/bin/x"}]}}]})");
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"devices", {"acme.com/card=a"}}}));
    CHECK(minor_of(host, "ada", "/dev/acme0") == 3);
    const auto refused =
        call(host, "container_create", {{"name", "bob"}, {"devices", {"acme.com/card=b"}}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::unsupported);
    CHECK(refused.error().message.contains("/bin/x"));
}
