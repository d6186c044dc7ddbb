// SPDX-License-Identifier: Apache-2.0
// Machines with GPUs that we do not have, as their /sys and /proc look.
#pragma once

#include "tests/support/made_up_sysfs.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

namespace berth::made_up {

inline constexpr unsigned int vga = 0x0300, three_d = 0x0302, display = 0x0380,
                              accelerator = 0x1200;
inline constexpr unsigned int nvidia = 0x10de, amd = 0x1002, intel = 0x8086, aspeed = 0x1a03;

/// Machines are not copied: a directory belongs to each.
using Machine = std::unique_ptr<Sysfs>;

inline std::string uuid(int number) {
    return fmt::format("GPU-{0:08x}-1111-2222-3333-{0:012x}", number);
}

/// What NVIDIA's driver tells of one GPU.
inline void add_nvidia(const Sysfs& machine, std::string_view address, int minor,
                       std::string_view model, std::string_view id) {
    machine.write(fmt::format("proc/driver/nvidia/gpus/{}/information", address),
                  fmt::format("Model: \t\t {}\nIRQ:   \t\t 178\nGPU UUID: \t {}\n"
                              "Video BIOS: \t 95.02.3c.40.c1\nBus Type: \t PCIe\n"
                              "DMA Size: \t 47 bits\nDMA Mask: \t 0x7fffffffffff\n"
                              "Bus Location: \t {}\nDevice Minor: \t {}\n"
                              "GPU Excluded:\t No\n",
                              model, id, address, minor));
}

/// And of itself: version, and the major numbers that it got.
inline void add_nvidia_driver(const Sysfs& machine, std::string_view version) {
    machine.write(
        "proc/driver/nvidia/version",
        fmt::format("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release "
                    "Build  (dvs-builder@U22-I3-B17)\nGCC version:  gcc version 12.2.0\n",
                    version));
    machine.write("module/nvidia/version", fmt::format("{}\n", version));
    machine.write("proc/devices",
                  "Character devices:\n  1 mem\n195 nvidia\n195 nvidia-modeset\n195 nvidiactl\n"
                  "226 drm\n237 nvidia-caps\n509 nvidia-uvm\n\nBlock devices:\n195 nvidia-uvm\n");
}

inline void add_mig(const Sysfs& machine, int minor, int gpu_instance, int compute_instance,
                    int first_capability) {
    const auto at =
        fmt::format("proc/driver/nvidia/capabilities/gpu{}/mig/gi{}", minor, gpu_instance);
    const auto access = [](int capability) {
        return fmt::format("DeviceFileMinor: {}\nDeviceFileMode: 292\nDeviceFileModify: 1\n",
                           capability);
    };
    machine.write(at + "/access", access(first_capability));
    machine.write(fmt::format("{}/ci{}/access", at, compute_instance),
                  access(first_capability + 1));
}

/// Four H100, whose DRM numbers do not follow their addresses, and the board's own screen.
inline Machine four_nvidia() {
    std::vector<Function> functions{{.address = "0000:03:00.0",
                                     .pci_class = vga,
                                     .vendor = aspeed,
                                     .device = 0x2000,
                                     .driver = "ast",
                                     .drm = {"card0"}}};
    const std::vector<std::string> addresses{"0000:0b:00.0", "0000:41:00.0", "0000:81:00.0",
                                             "0000:c1:00.0"};
    for (std::size_t at = 0; at < addresses.size(); ++at)
        functions.push_back(
            {.address = addresses[at],
             .pci_class = three_d,
             .vendor = nvidia,
             .device = 0x2330,
             .driver = "nvidia",
             .numa_node = static_cast<int>(at / 2),
             .iommu_group = 10 + static_cast<int>(at),
             .drm = {fmt::format("card{}", 4 - at), fmt::format("renderD{}", 131 - at)},
             .link_speed = 1,
             .link_lanes = 16,
             .link_speed_max = 5,
             .link_lanes_max = 16});
    auto machine = std::make_unique<Sysfs>(functions);
    add_nvidia_driver(*machine, "550.54.15");
    for (std::size_t at = 0; at < addresses.size(); ++at)
        add_nvidia(*machine, addresses[at], 3 - static_cast<int>(at), "NVIDIA H100 80GB HBM3",
                   uuid(static_cast<int>(at)));
    return machine;
}

/// An Instinct accelerator and a processor's own graphics.
inline Machine two_amd() {
    auto machine = std::make_unique<Sysfs>(
        std::vector<Function>{{.address = "0000:e3:00.0",
                               .pci_class = display,
                               .vendor = amd,
                               .device = 0x740f,
                               .driver = "amdgpu",
                               .numa_node = 0,
                               .iommu_group = 12,
                               .drm = {"card1", "renderD129"},
                               .link_speed = 4,
                               .link_lanes = 16,
                               .link_speed_max = 4,
                               .link_lanes_max = 16,
                               .files = {{"mem_info_vram_total", "68702699520\n"},
                                         {"ras/umc_err_count", "ue: 0\nce: 3\n"}}},
                              {.address = "0000:c4:00.0",
                               .pci_class = vga,
                               .vendor = amd,
                               .device = 0x15bf,
                               .driver = "amdgpu",
                               .drm = {"card0", "renderD128"},
                               .files = {{"mem_info_vram_total", "536870912\n"}}}});
    machine->write("class/kfd/kfd/dev", "511:0\n");
    return machine;
}

/// A processor's own graphics, a card of the same vendor, and an accelerator without DRM.
inline Machine three_intel() {
    return std::make_unique<Sysfs>(std::vector<Function>{
        {.address = "0000:00:02.0",
         .pci_class = vga,
         .vendor = intel,
         .device = 0x4680,
         .driver = "i915",
         .iommu_group = 0,
         .drm = {"card0", "renderD128"}},
        {.address = "0000:03:00.0",
         .pci_class = display,
         .vendor = intel,
         .device = 0x56c0,
         .driver = "xe",
         .drm = {"card1", "renderD129"},
         .link_speed = 4,
         .link_lanes = 8,
         .link_speed_max = 4,
         .link_lanes_max = 16,
         .files = {{"tile0/physical_vram_size_bytes", "17163091968\n"}}},
        {.address = "0000:33:00.0",
         .pci_class = accelerator,
         .vendor = 0x1da3,
         .device = 0x1020,
         .driver = "habanalabs",
         .numa_node = 1,
         .files = {{"accel/accel0/dev", "261:0\n"}, {"accel/accel_controlD0/dev", "261:1\n"}}}});
}

/// A GPU with two of its virtual functions made, one of them given to virtual machines.
inline Machine sr_iov() {
    std::vector<Function> functions{
        {.address = "0000:4d:00.0",
         .pci_class = display,
         .vendor = intel,
         .device = 0x56c0,
         .driver = "i915",
         .drm = {"card0", "renderD128"},
         .files = {{"sriov_totalvfs", "31\n"}, {"sriov_numvfs", "2\n"}},
         .links = {{"virtfn0", "0000:4d:00.1"}, {"virtfn1", "0000:4d:00.2"}}},
        {.address = "0000:4d:00.1",
         .pci_class = display,
         .vendor = intel,
         .device = 0x56c0,
         .driver = "i915",
         .drm = {"card1", "renderD129"},
         .links = {{"physfn", "0000:4d:00.0"}}},
        {.address = "0000:4d:00.2",
         .pci_class = display,
         .vendor = intel,
         .device = 0x56c0,
         .driver = "vfio-pci",
         .iommu_group = 40,
         .links = {{"physfn", "0000:4d:00.0"}}}};
    return std::make_unique<Sysfs>(functions);
}

/// An A100 cut into two instances, of which a CDI spec tells one's UUID, and a whole one that its
/// driver has not started yet.
inline Machine mig() {
    auto machine = std::make_unique<Sysfs>(std::vector<Function>{{.address = "0000:41:00.0",
                                                                  .pci_class = three_d,
                                                                  .vendor = nvidia,
                                                                  .device = 0x20b2,
                                                                  .driver = "nvidia",
                                                                  .numa_node = 0},
                                                                 {.address = "0000:42:00.0",
                                                                  .pci_class = three_d,
                                                                  .vendor = nvidia,
                                                                  .device = 0x20b2,
                                                                  .driver = "nvidia",
                                                                  .numa_node = 0}});
    add_nvidia_driver(*machine, "535.54.03");
    add_nvidia(*machine, "0000:41:00.0", 0, "NVIDIA A100-SXM4-80GB", uuid(7));
    add_nvidia(*machine, "0000:42:00.0", 1, "NVIDIA A100-SXM4-80GB",
               "GPU-\?\?\?\?\?\?\?\?-\?\?\?\?-\?\?\?\?-\?\?\?\?-\?\?\?\?\?\?\?\?\?\?\?\?");
    add_mig(*machine, 0, 2, 0, 21);
    add_mig(*machine, 0, 1, 0, 12);
    machine->write("etc-cdi/nvidia.json", R"({"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu",
        "devices": [{"name": "MIG-0a0b0c0d-0000-5000-8000-000000000001", "containerEdits":
          {"deviceNodes": [{"path": "/dev/nvidia0"}, {"path": "/dev/nvidia-caps/nvidia-cap12"},
                           {"path": "/dev/nvidia-caps/nvidia-cap13"}]}}]})");
    return machine;
}

/// A gaming card that nothing drives.
inline Machine no_driver() {
    return std::make_unique<Sysfs>(std::vector<Function>{{.address = "0000:0b:00.0",
                                                          .pci_class = vga,
                                                          .vendor = nvidia,
                                                          .device = 0x2684,
                                                          .link_speed = 3,
                                                          .link_lanes = 8,
                                                          .link_speed_max = 4,
                                                          .link_lanes_max = 16}});
}

/// One for virtual machines, beside one for us; with a domain of its own.
inline Machine vfio() {
    auto machine = std::make_unique<Sysfs>(std::vector<Function>{{.address = "0000:0b:00.0",
                                                                  .pci_class = vga,
                                                                  .vendor = nvidia,
                                                                  .device = 0x2684,
                                                                  .driver = "vfio-pci",
                                                                  .iommu_group = 21},
                                                                 {.address = "0001:0b:00.0",
                                                                  .pci_class = vga,
                                                                  .vendor = nvidia,
                                                                  .device = 0x2684,
                                                                  .driver = "nvidia",
                                                                  .iommu_group = 22}});
    add_nvidia_driver(*machine, "550.54.15");
    add_nvidia(*machine, "0001:0b:00.0", 0, "NVIDIA GeForce RTX 4090", uuid(9));
    return machine;
}

/// A server whose only screens are its board's, and one that is a virtual machine's.
inline Machine screens_alone() {
    return std::make_unique<Sysfs>(std::vector<Function>{
        {.address = "0000:02:00.0",
         .pci_class = vga,
         .vendor = 0x102b,
         .device = 0x0536,
         .driver = "mgag200",
         .drm = {"card0"}},
        {.address = "0000:03:00.0", .pci_class = vga, .vendor = aspeed, .device = 0x2000},
        {.address = "0000:04:00.0",
         .pci_class = vga,
         .vendor = 0x1234,
         .device = 0x1111,
         .driver = "bochs-drm",
         .drm = {"card1"}}});
}

/// A network card and a disk.
inline Machine none() {
    return std::make_unique<Sysfs>(std::vector<Function>{
        {.address = "0000:00:03.0", .pci_class = 0x0200, .vendor = 0x1af4, .device = 0x1041},
        {.address = "0000:00:04.0", .pci_class = 0x0100, .vendor = 0x1af4, .device = 0x1042}});
}

}  // namespace berth::made_up
