// SPDX-License-Identifier: Apache-2.0
// Steps that roots and shares are mounted by. Border file of mount_setattr(2) and openat2(2).
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace berth::engine {

/// The error of the system call that failed just now.
[[nodiscard]] Error failed(std::string_view doing);

/// Ids as they are on a disk, and the ids of the host that they are seen as through a mount.
struct IdRange {
    std::int64_t on_disk = 0;
    std::int64_t seen = 0;
    std::int64_t count = 0;
};
using IdMap = std::vector<IdRange>;

/// A user namespace with these maps, held open by its descriptor alone.
[[nodiscard]] Result<Fd> user_namespace(const IdMap& users, const IdMap& groups);

/// Whether a mount stands at `path` below `directory` ("": at the directory itself).
[[nodiscard]] bool is_mount_point(int directory, const char* path);

/// Takes away everything that is mounted there. Can be repeated.
[[nodiscard]] Result<> unmount_all(const std::filesystem::path& point);

[[nodiscard]] Result<Fd> open_directory(const std::filesystem::path& path);

/// Opens the directory `path` below `parent` through no symbolic link and never above it; no
/// descriptor, with errno, when that is not possible.
[[nodiscard]] Fd open_below(int parent, const char* path);

/// Walks to `inside` below a container's `root` through no symbolic link, making directories that
/// are missing, or to no descriptor when one is missing and none is to be made.
[[nodiscard]] Result<Fd> walk(const std::filesystem::path& root, std::string_view inside,
                              std::int64_t uid_base, bool make = true);

}  // namespace berth::engine
