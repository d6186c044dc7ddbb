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

TEST_CASE("each change of forwards, SSH keys and GPUs makes an etag of before one of before",
          "[gpus]") {
    FakeHost host;
    furnish(host);
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"start", false}}));
    const auto etag = [&host] {
        return call(host, "container_get", {{"name", "ada"}}).value()["etag"].get<std::string>();
    };
    const Json key{{"container", "ada"},
                   {"public_key",
                    "ssh-ed25519 "
                    "AAAAC3NzaC1lZDI1NTE5AAAAIKVN8ljTRpkW8Ob5MZdHDcV7mNxcJCTfL3zHYb6PUoQd a@b"}};
    const std::vector<std::pair<std::string, Json>> changes{
        {"port_add", {{"container", "ada"}, {"container_port", 80}, {"host_port", 8099}}},
        {"port_remove", {{"host_port", 8099}}},
        {"ssh_key_add", key},
        {"gpu_attach", {{"container", "ada"}, {"gpus", {"0"}}}},
        {"gpu_detach", {{"container", "ada"}, {"gpus", {"0"}}}}};
    for (const auto& [tool, arguments] : changes) {
        CAPTURE(tool);
        const auto before = etag();
        REQUIRE(call(host, tool, arguments));
        const auto refused =
            call(host, "container_update", {{"name", "ada"}, {"etag", before}, {"processes", 90}});
        REQUIRE_FALSE(refused);
        CHECK(refused.error().field == "/etag");
    }
    // What is there already changes nothing.
    const auto before = etag();
    REQUIRE(call(host, "ssh_key_add", key));
    CHECK(etag() == before);
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

TEST_CASE("a GPU in Containarium's form is held by its address, or refused where it may be another",
          "[gpus]") {
    FakeHost host;
    furnish(host);
    const Json old = {{"name", "ada"}, {"gpu", {{"id", "1"}}}, {"dry_run", true}};
    CHECK(call(host, "container_create", old)
              .value()["would"]
              .get<std::string>()
              .contains("and GPU 0000:42:00.0"));
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"gpu", {{"id", "1"}}}}));
    CHECK(gpus_of(host, "ada") == Json{"0000:42:00.0"});
    const auto both =
        call(host, "container_create", {{"name", "bob"}, {"gpu", {{"id", "0"}}}, {"gpus", {"0"}}});
    CHECK(both.error().field == "/gpu");
    host.sysfs.add(
        {.address = "0000:03:00.0", .pci_class = 0x0300, .vendor = 0x1a03, .device = 0x2000});
    const auto refused = call(host, "container_create", {{"name", "bob"}, {"gpu", {{"id", "0"}}}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::invalid_argument);
    CHECK(refused.error().field == "/gpu/id");
    CHECK(refused.error().message.contains("0000:41:00.0"));
    CHECK(refused.error().message.contains("0000:03:00.0"));
    CHECK(call(host, "container_create", {{"name", "bob"}, {"gpu", {{"id", "0000:41:00.0"}}}}));
}

TEST_CASE("a fork has no GPU of the container that it is made from", "[gpus]") {
    FakeHost host;
    furnish(host);
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"gpus", {"0"}}}));
    REQUIRE(call(host, "container_fork", {{"container", "ada"}, {"names", {"eve"}}}));
    CHECK(gpus_of(host, "eve").empty());
    CHECK(gpus_of(host, "ada") == Json{"0000:41:00.0"});
}

TEST_CASE("a wish that nothing fits now is told who has what would do, and until when", "[gpus]") {
    FakeHost host;
    furnish(host);
    REQUIRE(call(host, "container_create",
                 {{"name", "ada"}, {"gpus", {"vendor=nvidia,count=3"}}, {"ttl_seconds", 3600}}));
    const auto late =
        call(host, "container_create", {{"name", "bob"}, {"gpus", {"vendor=nvidia,count=2"}}});
    REQUIRE_FALSE(late);
    CHECK(late.error().code == ErrorCode::busy);
    CHECK(late.error().message.contains("of 4, 1 are free: 0000:44:00.0"));
    CHECK(late.error().message.contains("held by container 'ada' since 20"));
    CHECK(late.error().message.contains("at the latest"));
}

TEST_CASE("where it is allowed, containers of one caller share a GPU, and labels mean nothing",
          "[gpus]") {
    FakeHost host({.gpus_shared_by_owner = true});
    furnish(host);
    const auto create = [&](const std::string& name, const std::string& caller) {
        return host.registry->invoke(
            "container_create",
            {{"name", name}, {"gpus", {"0"}}, {"labels", {"owner=me"}}, {"start", false}},
            {.caller = caller});
    };
    REQUIRE(create("ada", "token:ci"));
    CHECK(create("bob", "token:ci"));
    CHECK(create("eve", "token:other").error().code == ErrorCode::busy);
    CHECK(create("eve", "").error().code == ErrorCode::busy);
    REQUIRE(call(host, "container_create", {{"name", "eve"}}));
    const auto attach = [&](const std::string& caller, bool dry) {
        return host.registry->invoke("gpu_attach",
                                     {{"container", "eve"}, {"gpus", {"0"}}, {"dry_run", dry}},
                                     {.caller = caller});
    };
    CHECK(attach("token:other", true).error().code == ErrorCode::busy);
    CHECK(attach("token:ci", true));
    CHECK(attach("token:ci", false));
}

namespace {

/// Devices a, which opens the GPU with that minor number, and b, which wants a program to be run.
void describe(const FakeHost& host, int minor) {
    host.sysfs.write("etc-cdi/acme.json",
                     fmt::format(R"({{"cdiVersion": "0.6.0", "kind": "acme.com/card",
        "devices": [
          {{"name": "a", "containerEdits": {{"env": ["ACME=1"],
             "hooks": [{{"hookName": "createContainer", "path": "/usr/bin/nvidia-ctk",
                        "args": ["nvidia-ctk", "hook", "create-symlinks", "--link", "a.so.1::/usr/lib/a.so"]}}],
             "mounts": [{{"hostPath": "/etc/hostname", "containerPath": "/usr/lib/a.so.1", "options": ["ro"]}}],
             "deviceNodes": [{{"path": "/dev/acme0", "type": "c", "major": 195, "minor": {}}},
                             {{"path": "/dev/nvidiactl", "type": "c", "major": 195, "minor": 255}}]}}}},
          {{"name": "b", "containerEdits": {{"hooks": [{{"hookName": "createContainer", "path": "/bin/x"}}]}}}}]}})",
                                 minor));
}

}  // namespace

TEST_CASE("a CDI device gives what its spec says, and what berth cannot do is refused", "[gpus]") {
    FakeHost host;
    furnish(host);
    describe(host, 3);
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"devices", {"acme.com/card=a"}}}));
    CHECK(minor_of(host, "ada", "/dev/acme0") == 3);
    const auto& files = host.engine.driver_files[id_of(host, "ada")];
    REQUIRE(files.mounts.size() == 1);
    CHECK(files.mounts[0].inside == "/usr/lib/a.so.1");
    REQUIRE(files.links.size() == 1);
    CHECK(files.links[0].path == "/usr/lib/a.so");
    const auto shown =
        call(host, "container_exec", {{"container", "ada"}, {"argv", {"sh", "-c", "echo $ACME"}}});
    CHECK(shown.value()["stdout"]["text"] == "1\n");
    const auto own =
        call(host, "container_exec",
             {{"container", "ada"}, {"argv", {"sh", "-c", "echo $ACME"}}, {"env", {"ACME=2"}}});
    CHECK(own.value()["stdout"]["text"] == "2\n");
    const auto refused =
        call(host, "container_create", {{"name", "bob"}, {"devices", {"acme.com/card=b"}}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::unsupported);
    CHECK(refused.error().field == "/devices");
    CHECK(refused.error().message.contains("/bin/x"));
}

TEST_CASE("a CDI device that opens a GPU is a hold of that GPU", "[gpus]") {
    FakeHost host;
    furnish(host);
    describe(host, 3);
    const Json by_cdi = {{"name", "ada"}, {"devices", {"acme.com/card=a"}}};
    REQUIRE(call(host, "container_create", {{"name", "bob"}, {"gpus", {"0"}}}));
    const auto late = call(host, "container_create", by_cdi);
    REQUIRE_FALSE(late);
    CHECK(late.error().code == ErrorCode::busy);
    CHECK(late.error().field == "/devices");
    CHECK(late.error().message.contains("GPU 0000:41:00.0 is held by container 'bob'"));
    REQUIRE(call(host, "container_delete", {{"name", "bob"}, {"force", true}}));
    REQUIRE(call(host, "container_create", by_cdi));
    CHECK(gpus_of(host, "ada") == Json{"0000:41:00.0"});
    CHECK(call(host, "container_create", {{"name", "bob"}, {"gpus", {"0"}}}).error().code ==
          ErrorCode::busy);
    // It goes with the device, and with nothing else.
    const auto kept = call(host, "gpu_detach", {{"container", "ada"}, {"gpus", {"0"}}});
    REQUIRE_FALSE(kept);
    CHECK(kept.error().code == ErrorCode::invalid_argument);
    CHECK(kept.error().message.contains("CDI"));
    // The nodes that it shares with a GPU stay when that goes.
    REQUIRE(call(host, "gpu_attach", {{"container", "ada"}, {"gpus", {"1"}}}));
    REQUIRE(call(host, "gpu_detach", {{"container", "ada"}, {"gpus", {"1"}}}));
    CHECK(host.engine.devices[id_of(host, "ada")].contains("/dev/nvidiactl"));
    // After a start it is what the spec opens then.
    REQUIRE(call(host, "container_stop", {{"name", "ada"}}));
    describe(host, 2);
    REQUIRE(call(host, "container_start", {{"name", "ada"}}));
    CHECK(gpus_of(host, "ada") == Json{"0000:42:00.0"});
    CHECK(call(host, "container_create", {{"name", "bob"}, {"gpus", {"0"}}}));
}

TEST_CASE("a GPU that NVIDIA's tool describes comes with what that says, and goes with it",
          "[gpus]") {
    FakeHost host;
    furnish(host);
    const auto device = [](int minor) {
        return fmt::format(
            R"({{"name": "{0}", "containerEdits": {{"env": ["CARD={0}"], "deviceNodes":
               [{{"path": "/dev/nvidia{0}", "type": "c", "major": 195, "minor": {0}}},
                {{"path": "/dev/dri/card{0}", "type": "c", "major": 226, "minor": {0}}}]}}}})",
            minor);
    };
    host.sysfs.write(
        "etc-cdi/nvidia.json",
        fmt::format(R"({{"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": [{}, {}],
            "containerEdits": {{"env": ["NVIDIA_VISIBLE_DEVICES=void"],
              "mounts": [{{"hostPath": "/etc/hostname", "containerPath": "/usr/lib/libcuda.so.550"}}]}}}})",
                    device(2), device(3)));
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"gpus", {"0"}}}));
    auto& devices = host.engine.devices[id_of(host, "ada")];
    const auto card = [&] {
        return call(host, "container_exec",
                    {{"container", "ada"}, {"argv", {"sh", "-c", "echo $CARD"}}})
            .value()["stdout"]["text"];
    };
    CHECK(host.engine.driver_files[id_of(host, "ada")].mounts.size() == 1);
    CHECK(devices.contains("/dev/dri/card3"));
    CHECK(card() == "3\n");
    REQUIRE(call(host, "gpu_attach", {{"container", "ada"}, {"gpus", {"1"}}}));
    CHECK(devices.contains("/dev/dri/card2"));
    REQUIRE(call(host, "gpu_detach", {{"container", "ada"}, {"gpus", {"0"}}}));
    CHECK_FALSE(devices.contains("/dev/dri/card3"));
    CHECK(devices.contains("/dev/dri/card2"));
    CHECK(card() == "2\n");
    REQUIRE(call(host, "gpu_detach", {{"container", "ada"}, {"gpus", {"1"}}}));
    CHECK(devices.empty());
    CHECK(card() == "\n");
    // One that is held both ways is held until the device goes.
    REQUIRE(call(host, "container_create",
                 {{"name", "bob"}, {"gpus", {"0"}}, {"devices", {"nvidia.com/gpu=3"}}}));
    REQUIRE(call(host, "gpu_detach", {{"container", "bob"}, {"gpus", {"0"}}}));
    CHECK(gpus_of(host, "bob") == Json{"0000:41:00.0"});
    CHECK(host.engine.devices[id_of(host, "bob")].contains("/dev/nvidia3"));
}

TEST_CASE("what runs gets the numbers that the kernel has given since, and loses those it had",
          "[gpus]") {
    FakeHost host;
    furnish(host);
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"gpus", {"0000:41:00.0"}}}));
    const auto number = [&](int minor) {
        host.sysfs.write("proc/driver/nvidia/gpus/0000:41:00.0/information",
                         fmt::format("Model: \t\t H100\nGPU UUID: \t GPU-41000000-0000-0000-0000-"
                                     "000000000000\nDevice Minor: \t {}\n",
                                     minor));
    };
    number(7);
    host.containers->renew_devices();
    auto& devices = host.engine.devices[id_of(host, "ada")];
    CHECK(minor_of(host, "ada", "/dev/nvidia7") == 7);
    CHECK_FALSE(devices.contains("/dev/nvidia3"));
    // A card that has left takes its numbers with it, and is a warning until it is back.
    const auto warned = [&] {
        const auto told =
            call(host, "warning_list", {{"entity", "container/ada"}, {"acknowledged", true}})
                .value();
        return told["total"] == 0 ? Json("none") : told["warnings"][0]["status"];
    };
    host.sysfs.write("bus/pci/devices/0000:41:00.0/device", "0x1111\n");
    host.sysfs.remove("proc/driver/nvidia/gpus/0000:41:00.0");
    host.containers->renew_devices();
    CHECK_FALSE(devices.contains("/dev/nvidia7"));
    CHECK(warned() == "new");
    host.sysfs.write("bus/pci/devices/0000:41:00.0/device", "0x2330\n");
    number(1);
    host.sysfs.remove("proc/driver/nvidia/gpus/0000:43:00.0");
    host.containers->renew_devices();
    CHECK(devices.contains("/dev/nvidia1"));
    CHECK(warned() == "resolved");
}

TEST_CASE("a container that is found again has the devices of its GPUs, whatever was cut short",
          "[gpus]") {
    FakeHost host;
    furnish(host);
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"gpus", {"0"}}}));
    auto& devices = host.engine.devices[id_of(host, "ada")];
    devices.erase("/dev/nvidia3");
    devices["/dev/nvidia9"] = {.path = "/dev/nvidia9", .major = 195, .minor = 9};
    host.restart();
    CHECK(devices.contains("/dev/nvidia3"));
    CHECK_FALSE(devices.contains("/dev/nvidia9"));
}
