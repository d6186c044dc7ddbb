// SPDX-License-Identifier: Apache-2.0
// What NVIDIA's kernel driver tells in /proc/driver/nvidia. Its files are "Name: value" lines.
#pragma once

#include "host/gpu/gpu.h"
#include "host/gpu/roots.h"

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace berth::gpu::nvidia {

/// "Name: value" lines; the first of a name counts, other lines are passed over. Pure.
[[nodiscard]] std::map<std::string, std::string, std::less<>> fields(std::string_view text);

/// Of gpus/ADDRESS/information. A UUID is nothing until the driver has started the GPU. Pure.
[[nodiscard]] NvidiaFacts facts_in(std::string_view information);

/// "535.54.03" of the file "version": the kernel module that is loaded. Pure.
[[nodiscard]] std::optional<std::string> version_in(std::string_view version);

/// A node below nvidia-caps, which opens one part of a GPU.
struct Capability {
    std::uint32_t minor = 0;
    mode_t mode = 0;
};
/// Of an `access` file below capabilities. Pure.
[[nodiscard]] std::optional<Capability> capability_in(std::string_view access);

/// Of /proc/devices: the major number of that character device. Pure.
[[nodiscard]] std::optional<std::uint32_t> major_in(std::string_view devices,
                                                    std::string_view name);

/// What the driver tells of the GPU at `address`; nothing when it does not drive it.
[[nodiscard]] std::optional<NvidiaFacts> facts_of(const PciAddress& address, const Roots& roots);

/// What opens the GPU instance, or with `compute_instance` >= 0 that part of it.
[[nodiscard]] std::optional<Capability> capability_of(int minor, int gpu_instance,
                                                      int compute_instance, const Roots& roots);

}  // namespace berth::gpu::nvidia
