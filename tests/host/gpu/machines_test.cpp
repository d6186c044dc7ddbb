// SPDX-License-Identifier: Apache-2.0
// Each made-up machine, listed whole: what is there, and nothing that is not.
#include "host/gpu/gpus.h"
#include "host/gpu/preflight.h"
#include "tests/host/gpu/made_up_machines.h"
#include "tests/support/catch.h"

#include <fmt/ranges.h>

using namespace berth;
using namespace berth::gpu;

namespace {

std::string kind_name(Kind kind) {
    constexpr std::array names{"vga", "3d", "display", "accelerator", "management", "emulated"};
    return names.at(static_cast<std::size_t>(kind));
}

/// One line a GPU: what is known of it, in the order of gpu.h.
std::string line(const Gpu& gpu, const Roots& roots) {
    std::string out =
        fmt::format("{} {} {:04x}:{:04x} {}", gpu.address.to_string(), kind_name(gpu.kind),
                    gpu.vendor_id, gpu.device_id, gpu.driver.value_or("-"));
    if (gpu.numa_node) out += fmt::format(" numa={}", *gpu.numa_node);
    if (gpu.iommu_group) out += fmt::format(" iommu={}", *gpu.iommu_group);
    if (!gpu.drm_nodes.empty()) out += fmt::format(" drm={}", fmt::join(gpu.drm_nodes, ","));
    if (gpu.link)
        out +=
            fmt::format(" link={}x{}/{}x{}", gpu.link->now.decigigatransfers, gpu.link->now.lanes,
                        gpu.link->most.decigigatransfers, gpu.link->most.lanes);
    if (gpu.memory_bytes) out += fmt::format(" memory={}", *gpu.memory_bytes);
    if (gpu.nvidia) {
        out += fmt::format(" minor={} uuid={}", gpu.nvidia->minor.value_or(-1),
                           gpu.nvidia->uuid.value_or("-"));
        for (const auto& one : gpu.nvidia->mig)
            out += fmt::format(" mig={}/{}:{}", one.gpu_instance, one.compute_instance,
                               one.uuid.value_or("-"));
    }
    if (gpu.virtual_functions_max > 0)
        out += fmt::format(" vf={}/{}", gpu.virtual_functions.size(), gpu.virtual_functions_max);
    if (gpu.physical_function) out += fmt::format(" of={}", gpu.physical_function->to_string());
    return out + fmt::format(" {}\n", health_of(gpu, roots));
}

std::string listed(const made_up::Machine& machine) {
    Gpus gpus(machine->roots());
    std::string out;
    const auto all = gpus.list().value();
    for (const auto& gpu : all) out += line(gpu, machine->roots());
    return out;
}

}  // namespace

TEST_CASE("four NVIDIA GPUs and the board's own screen", "[gpu]") {
    CHECK(listed(made_up::four_nvidia()) ==
          "0000:03:00.0 management 1a03:2000 ast drm=/dev/dri/card0 ok\n"
          "0000:0b:00.0 3d 10de:2330 nvidia numa=0 iommu=10 drm=/dev/dri/card4,/dev/dri/renderD131 "
          "link=25x16/320x16 minor=3 uuid=GPU-00000000-1111-2222-3333-000000000000 ok\n"
          "0000:41:00.0 3d 10de:2330 nvidia numa=0 iommu=11 drm=/dev/dri/card3,/dev/dri/renderD130 "
          "link=25x16/320x16 minor=2 uuid=GPU-00000001-1111-2222-3333-000000000001 ok\n"
          "0000:81:00.0 3d 10de:2330 nvidia numa=1 iommu=12 drm=/dev/dri/card2,/dev/dri/renderD129 "
          "link=25x16/320x16 minor=1 uuid=GPU-00000002-1111-2222-3333-000000000002 ok\n"
          "0000:c1:00.0 3d 10de:2330 nvidia numa=1 iommu=13 drm=/dev/dri/card1,/dev/dri/renderD128 "
          "link=25x16/320x16 minor=0 uuid=GPU-00000003-1111-2222-3333-000000000003 ok\n");
}

TEST_CASE("an AMD accelerator and a processor's own graphics, with their memory", "[gpu]") {
    CHECK(listed(made_up::two_amd()) ==
          "0000:c4:00.0 vga 1002:15bf amdgpu drm=/dev/dri/card0,/dev/dri/renderD128 "
          "memory=536870912 ok\n"
          "0000:e3:00.0 display 1002:740f amdgpu numa=0 iommu=12 "
          "drm=/dev/dri/card1,/dev/dri/renderD129 link=160x16/160x16 memory=68702699520 ok\n");
}

TEST_CASE("Intel's graphics, in the processor and on a card, and an accelerator", "[gpu]") {
    CHECK(listed(made_up::three_intel()) ==
          "0000:00:02.0 vga 8086:4680 i915 iommu=0 drm=/dev/dri/card0,/dev/dri/renderD128 ok\n"
          "0000:03:00.0 display 8086:56c0 xe drm=/dev/dri/card1,/dev/dri/renderD129 "
          "link=160x8/160x16 memory=17163091968 ok\n"
          "0000:33:00.0 accelerator 1da3:1020 habanalabs numa=1 ok\n");
}

TEST_CASE("virtual functions know whose they are", "[gpu]") {
    CHECK(listed(made_up::sr_iov()) ==
          "0000:4d:00.0 display 8086:56c0 i915 drm=/dev/dri/card0,/dev/dri/renderD128 vf=2/31 ok\n"
          "0000:4d:00.1 display 8086:56c0 i915 drm=/dev/dri/card1,/dev/dri/renderD129 "
          "of=0000:4d:00.0 ok\n"
          "0000:4d:00.2 display 8086:56c0 vfio-pci iommu=40 of=0000:4d:00.0 vfio_bound\n");
}

TEST_CASE("MIG instances, and a UUID that the driver does not know yet", "[gpu]") {
    CHECK(listed(made_up::mig()) ==
          "0000:41:00.0 3d 10de:20b2 nvidia numa=0 minor=0 "
          "uuid=GPU-00000007-1111-2222-3333-000000000007 "
          "mig=1/0:MIG-0a0b0c0d-0000-5000-8000-000000000001 mig=2/0:- ok\n"
          "0000:42:00.0 3d 10de:20b2 nvidia numa=0 minor=1 uuid=- ok\n");
}

TEST_CASE("a GPU that nothing drives, and one for virtual machines", "[gpu]") {
    CHECK(listed(made_up::no_driver()) ==
          "0000:0b:00.0 vga 10de:2684 - link=80x8/160x16 no_driver\n");
    CHECK(listed(made_up::vfio()) ==
          "0000:0b:00.0 vga 10de:2684 vfio-pci iommu=21 vfio_bound\n"
          "0001:0b:00.0 vga 10de:2684 nvidia iommu=22 minor=0 "
          "uuid=GPU-00000009-1111-2222-3333-000000000009 ok\n");
}

TEST_CASE("screens of boards and virtual machines are listed as what they are", "[gpu]") {
    CHECK(listed(made_up::screens_alone()) ==
          "0000:02:00.0 management 102b:0536 mgag200 drm=/dev/dri/card0 ok\n"
          "0000:03:00.0 management 1a03:2000 - ok\n"
          "0000:04:00.0 emulated 1234:1111 bochs-drm drm=/dev/dri/card1 ok\n");
    CHECK(listed(made_up::none()).empty());
}

TEST_CASE("the memory of NVIDIA's GPUs is what NVIDIA's tool tells, asked once", "[gpu]") {
    const auto machine = made_up::four_nvidia();
    const auto tool = machine->roots().nvidia_smi;
    machine->write("nvidia-smi", fmt::format("#!/bin/sh\necho asked >> {0}/asked\n"
                                             "echo '00000000:0B:00.0, 81559, Enabled, 0'\n"
                                             "echo '00000000:41:00.0, [N/A], Disabled, [N/A]'\n",
                                             machine->root().string()));
    std::filesystem::permissions(tool, std::filesystem::perms::owner_all);
    Gpus gpus(machine->roots());
    (void)gpus.list();
    const auto listed = gpus.list().value();
    REQUIRE(listed.size() == 5);
    CHECK(listed[1].memory_bytes == 81559LL << 20);
    CHECK_FALSE(listed[2].memory_bytes);  // the tool does not know
    CHECK_FALSE(listed[3].memory_bytes);  // it does not list it
    CHECK(read_file(machine->root() / "asked").value() == "asked\n");
}
