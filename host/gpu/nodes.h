// SPDX-License-Identifier: Apache-2.0
// The device nodes that a container needs for a GPU. Numbers are whatever the kernel gave at this
// start: they are looked up each time, and nothing but the address is ever kept.
#pragma once

#include "host/gpu/gpu.h"
#include "host/gpu/roots.h"

#include <sys/types.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace berth::gpu {

struct DeviceNode {
    std::string path;                 // in the container: "/dev/nvidia0"
    std::filesystem::path host_path;  // on this machine, below Roots::dev; need not be there
    char type = 'c';                  // or 'b'
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    mode_t mode = 0666;         // what it should have inside
    std::string access = "rw";  // of r, w and m, for the device policy
    uid_t uid = 0;              // owner and group inside
    gid_t gid = 0;
    bool operator==(const DeviceNode&) const = default;
};

/// What a start needs for `chosen`, whose GPU is `gpu`, by path, without repetition:
/// NVIDIA nvidiaN, nvidiactl, nvidia-uvm, and where they are there nvidia-uvm-tools,
/// nvidia-modeset; for a MIG instance the two nodes below nvidia-caps that open it, and nothing
/// that opens others. AMD kfd and the render node; Intel and others the render node (accel nodes
/// for accelerators).
/// unavailable, with what to do, when a node is missing, no driver is bound, the GPU is given to
/// vfio, or the instance is gone.
[[nodiscard]] Result<std::vector<DeviceNode>> nodes_of(const Gpu& gpu, const Chosen& chosen,
                                                       const Roots& roots);

/// The GPUs, or instances of them, that these nodes open, by the numbers that the kernel has given
/// now: a node that all GPUs of a driver have in common opens none.
[[nodiscard]] std::vector<Chosen> opened_by(std::span<const DeviceNode> nodes,
                                            std::span<const Gpu> inventory, const Roots& roots);

/// The node at `path` ("/dev/…", below roots.dev) as the kernel has it now; not_found, or
/// invalid_argument when it is no device.
[[nodiscard]] Result<DeviceNode> node_at(std::string_view path, const Roots& roots);

}  // namespace berth::gpu
