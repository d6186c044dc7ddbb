// SPDX-License-Identifier: Apache-2.0
// Devices of the host in a container. A container makes no device nodes, so its nodes are made by
// the host in a directory of the container's that only it can pass through, owned by ids of the
// container, and mounted into its /dev.
#pragma once

#include "host/engine/container_engine.h"

#include <sys/types.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace berth::engine {

class DeviceNodes {
public:
    explicit DeviceNodes(std::filesystem::path directory) : directory_(std::move(directory)) {}

    /// Makes exactly these nodes for the container whose ids begin at `uid_base`. invalid_argument
    /// for a device that is to be elsewhere than below /dev; unsupported on a file system that is
    /// mounted without devices.
    [[nodiscard]] Result<> make(std::span<const Device> devices, std::int64_t uid_base) const;
    /// Makes one more, or again.
    [[nodiscard]] Result<> add(const Device& device, std::int64_t uid_base) const;
    [[nodiscard]] std::filesystem::path path_of(const Device& device) const;
    /// Those that are made, by path and numbers; what else a Device says is not known of them.
    [[nodiscard]] std::vector<Device> made() const;

    /// Mounts a node that add() made at its place in the container of that init, or takes it away
    /// from there. Both can be repeated, and neither follows a link that somebody inside has made.
    [[nodiscard]] Result<> mount(const Device& device, pid_t init, std::int64_t uid_base) const;
    [[nodiscard]] Result<> unmount(const Device& device, pid_t init, std::int64_t uid_base) const;

private:
    std::filesystem::path directory_;
};

/// "c 195:0 rw"
[[nodiscard]] std::string device_rule(const Device& device, std::string_view access);

/// Whether both are one node of the kernel at one place.
[[nodiscard]] bool same_node(const Device& one, const Device& other);
/// Whether both are one device of the kernel, wherever its nodes are.
[[nodiscard]] bool same_number(const Device& one, const Device& other);

/// What use_of() says of a socket, which is over in a moment where programs are only talking.
inline constexpr std::string_view descriptors_in_flight =
    "has a socket with descriptors that nobody has taken yet";
/// How that process could still use the device: by a descriptor that it has open, by memory that is
/// mapped from it, or by descriptors on their way to it in a socket, of which nobody can see what
/// they are. "" when by none of these.
[[nodiscard]] std::string_view use_of(pid_t process, const Device& device);

}  // namespace berth::engine
