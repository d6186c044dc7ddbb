// SPDX-License-Identifier: Apache-2.0
// Device nodes between the GPUs' room, which finds them, and the engine, which gives them.
#pragma once

#include "host/engine/container_engine.h"
#include "host/gpu/nodes.h"

#include <algorithm>
#include <vector>

namespace berth::container {

[[nodiscard]] inline engine::Device to_engine(const gpu::DeviceNode& node) {
    return {.path = node.path,
            .type = node.type,
            .major = node.major,
            .minor = node.minor,
            .access = node.access,
            .mode = node.mode,
            .uid = node.uid,
            .gid = node.gid};
}

/// What programs that run containers make layered file systems with, and networks when they are not
/// root: FUSE and TUN. The kernel has always numbered them so.
[[nodiscard]] inline std::vector<engine::Device> nesting_devices() {
    return {{.path = "/dev/fuse", .type = 'c', .major = 10, .minor = 229},
            {.path = "/dev/net/tun", .type = 'c', .major = 10, .minor = 200}};
}

/// Unless there is one at that path.
inline void add_new(std::vector<engine::Device>& devices, const engine::Device& device) {
    if (std::ranges::find(devices, device.path, &engine::Device::path) == devices.end())
        devices.push_back(device);
}

}  // namespace berth::container
