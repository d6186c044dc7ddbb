// SPDX-License-Identifier: Apache-2.0
// What a device's driver needs inside a container, put there by the host before the container
// starts, so that root inside can undo none of it. Unlike a share's, its paths are those of whoever
// made the driver, and lead through links of the image (/lib is one): they are followed as the
// container would follow them, and never out of its root.
#pragma once

#include "host/engine/container_engine.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace berth::engine {

/// A mount that has to wait for /run, which liblxc makes: where it stands on the host until then.
struct RunMount {
    std::filesystem::path stand;
    std::string inside;  // relative, as "run/nvidia-persistenced/socket"
    bool directory = false;
};

/// Mounts, links, modes and the dynamic linker's list, in the mounted `root` of the container whose
/// ids begin at `uid_base`; what belongs into /run stands in `stands`. not_found for what is not on
/// the host; busy where the container has put something in the way; denied where a path leads to
/// what confines the container.
[[nodiscard]] Result<> place_driver_files(const DriverFiles& files,
                                          const std::filesystem::path& root,
                                          const std::filesystem::path& stands,
                                          std::int64_t uid_base);

/// Those that place_driver_files() leaves in `stands`, in order.
[[nodiscard]] std::vector<RunMount> run_mounts(const DriverFiles& files,
                                               const std::filesystem::path& stands);

}  // namespace berth::engine
