// SPDX-License-Identifier: Apache-2.0
// Which device nodes a start needs, by vendor, with the numbers that the kernel has given now.
#include "host/gpu/nodes.h"

#include "host/gpu/inventory.h"
#include "host/gpu/selector.h"
#include "tests/host/gpu/made_up_machines.h"
#include "tests/support/catch.h"
#include "tests/support/privilege.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

using namespace berth;
using namespace berth::gpu;

namespace {

Result<std::vector<DeviceNode>> nodes_for(const Sysfs& machine, const std::string& selector) {
    const auto gpus = BERTH_TRY(inventory(machine.roots()));
    const std::vector selectors{selector};
    const auto chosen = BERTH_TRY(select(gpus, selectors));
    return nodes_of(BERTH_TRY(find(gpus, chosen.front().address)), chosen.front(), machine.roots());
}

std::string text(const Result<std::vector<DeviceNode>>& nodes) {
    std::string out;
    for (const auto& node : nodes.value())
        out += fmt::format("{} {} {}:{} {:o} {}\n", node.path, node.type, node.major, node.minor,
                           node.mode, node.access);
    return out;
}

}  // namespace

TEST_CASE("an NVIDIA GPU has its own node and those of the driver", "[gpu]") {
    // Nobody has made the nodes yet: the numbers are those that the driver registered.
    const auto machine = made_up::four_nvidia();
    CHECK(text(nodes_for(*machine, "0b:00.0")) ==
          "/dev/nvidia-modeset c 195:254 666 rw\n"
          "/dev/nvidia-uvm c 509:0 666 rw\n"
          "/dev/nvidia-uvm-tools c 509:1 666 rw\n"
          "/dev/nvidia3 c 195:3 666 rw\n"
          "/dev/nvidiactl c 195:255 666 rw\n");
}

TEST_CASE("a node that is there counts, whatever number it has", "[gpu]") {
    if (!privileged()) return;
    const auto machine = made_up::four_nvidia();
    std::filesystem::create_directories(machine->roots().dev);
    const auto made = machine->roots().dev / "nvidia3";
    REQUIRE(::mknod(made.c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0);
    const auto nodes = nodes_for(*machine, "0b:00.0").value();
    CHECK(nodes[3].path == "/dev/nvidia3");
    CHECK(nodes[3].host_path == made);
    CHECK(nodes[3].major == 1);
    CHECK(nodes[3].minor == 3);
    CHECK(node_at("/dev/nvidia9", machine->roots()).error().code == ErrorCode::not_found);
}

TEST_CASE("a MIG instance opens its own parts and no other's", "[gpu]") {
    const auto machine = made_up::mig();
    const auto nodes = text(nodes_for(*machine, "0000:41:00.0/mig/1/0"));
    CHECK(nodes.contains("/dev/nvidia-caps/nvidia-cap12 c 237:12 444 rw\n"));
    CHECK(nodes.contains("/dev/nvidia-caps/nvidia-cap13 c 237:13 444 rw\n"));
    CHECK_FALSE(nodes.contains("nvidia-cap2"));
    CHECK(nodes.contains("/dev/nvidia0 "));

    // All of the GPU is all of its instances.
    const auto whole = text(nodes_for(*machine, "0000:41:00.0"));
    for (const auto* part : {"cap12 ", "cap13 ", "cap21 ", "cap22 "}) CHECK(whole.contains(part));

    machine->remove("proc/driver/nvidia/capabilities/gpu0/mig/gi1");
    CHECK(nodes_for(*machine, "0000:41:00.0/mig/1/0").error().code == ErrorCode::not_found);
}

TEST_CASE("others have render nodes, and AMD's the one that computes", "[gpu]") {
    CHECK(text(nodes_for(*made_up::two_amd(), "e3:00.0")) ==
          "/dev/dri/renderD129 c 226:129 666 rw\n/dev/kfd c 511:0 666 rw\n");
    CHECK(text(nodes_for(*made_up::three_intel(), "0")) ==
          "/dev/dri/renderD128 c 226:128 666 rw\n");
    CHECK(text(nodes_for(*made_up::three_intel(), "2")) == "/dev/accel/accel0 c 261:0 666 rw\n");
    CHECK(text(nodes_for(*made_up::sr_iov(), "4d:00.1")) ==
          "/dev/dri/renderD129 c 226:129 666 rw\n");
}

TEST_CASE("the same GPU has other nodes after a boot that counts otherwise", "[gpu]") {
    const auto machine = made_up::two_amd();
    const auto before = nodes_for(*machine, "e3:00.0").value();
    const std::filesystem::path devices = "bus/pci/devices";
    machine->remove(devices / "0000:e3:00.0/drm");
    machine->remove(devices / "0000:c4:00.0/drm");
    machine->write(devices / "0000:e3:00.0/drm/renderD128/dev", "226:128\n");
    machine->write(devices / "0000:c4:00.0/drm/renderD129/dev", "226:129\n");
    const auto after = nodes_for(*machine, "e3:00.0").value();
    CHECK(before.front().path == "/dev/dri/renderD129");
    CHECK(after.front().path == "/dev/dri/renderD128");
    CHECK(after.front().minor == 128);
}

TEST_CASE("what cannot be given has a reason and a next step", "[gpu]") {
    const auto refused = [](const Sysfs& machine, const std::string& selector) {
        const auto nodes = nodes_for(machine, selector);
        REQUIRE_FALSE(nodes);
        CHECK(nodes.error().code == ErrorCode::unavailable);
        CHECK_FALSE(nodes.error().hint.empty());
        return nodes.error().message;
    };
    CHECK(refused(*made_up::no_driver(), "0") == "GPU 0000:0b:00.0: no driver is bound to it");
    CHECK(refused(*made_up::vfio(), "0000:0b:00.0") ==
          "GPU 0000:0b:00.0: it is bound to 'vfio-pci', for virtual machines");
    const auto machine = made_up::four_nvidia();
    machine->write("proc/devices", "Character devices:\n195 nvidia\n");
    CHECK(refused(*machine, "0") == "GPU 0000:0b:00.0: there is no '/dev/nvidia-uvm'");
    machine->remove("proc/driver/nvidia/gpus/0000:0b:00.0");
    CHECK(refused(*machine, "0") == "GPU 0000:0b:00.0: NVIDIA's driver tells nothing of it");
    const auto silent = made_up::three_intel();
    silent->remove("bus/pci/devices/0000:00:02.0/drm");
    CHECK(refused(*silent, "0") ==
          "GPU 0000:00:02.0: driver 'i915' has made no render node for it");
}

TEST_CASE("nodes open the GPUs whose numbers they have, whatever they are called", "[gpu]") {
    const auto machine = made_up::four_nvidia();
    const auto gpus = inventory(machine->roots()).value();
    const auto opened = [&](std::vector<DeviceNode> nodes) {
        std::string names;
        for (const auto& chosen : opened_by(nodes, gpus, machine->roots()))
            names += chosen.to_string() + " ";
        return names;
    };
    auto nodes = nodes_for(*machine, "0b:00.0").value();
    CHECK(opened(nodes) == "0000:0b:00.0 ");
    for (auto& node : nodes) node.path = "/dev/other" + node.path.substr(4);
    CHECK(opened(nodes) == "0000:0b:00.0 ");
    std::erase_if(nodes, [](const DeviceNode& node) { return node.minor == 3; });
    CHECK(opened(nodes).empty());  // what all of them have in common opens none
    CHECK(opened({{.path = "/dev/a", .host_path = {}, .type = 'b', .major = 195, .minor = 3}})
              .empty());
}

TEST_CASE("nodes of a GPU that is cut open the instances whose parts are there, or all of it",
          "[gpu]") {
    const auto machine = made_up::mig();
    const auto gpus = inventory(machine->roots()).value();
    const auto opened = [&](const std::string& selector, std::uint32_t without = 0) {
        auto nodes = nodes_for(*machine, selector).value();
        std::erase_if(nodes, [&](const DeviceNode& node) {
            return node.major == 237 && node.minor == without;
        });
        std::string names;
        for (const auto& chosen : opened_by(nodes, gpus, machine->roots()))
            names += chosen.to_string() + " ";
        return names;
    };
    CHECK(opened("0000:41:00.0/mig/1/0") == "0000:41:00.0/mig/1/0 ");
    CHECK(opened("0000:41:00.0") == "0000:41:00.0 ");
    CHECK(opened("0000:41:00.0/mig/1/0", 13) == "0000:41:00.0 ");  // no instance whole
}
