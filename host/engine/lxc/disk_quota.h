// SPDX-License-Identifier: Apache-2.0
// A directory of a container's own whose files the file system counts and bounds as one project,
// where it is mounted so (ext4 and XFS with the option prjquota). Unlike an image it takes no loop
// device, and its limit has no bounds. Kernel interfaces: quotactl(2), and FS_IOC_FSSETXATTR of
// ioctl_xfs_fsgetxattr(2).
#pragma once

#include "host/engine/container_engine.h"

#include <filesystem>

namespace berth::engine {

class DiskQuota {
public:
    /// Of the container that `directory` belongs to; there need be none.
    explicit DiskQuota(std::filesystem::path directory) : directory_(std::move(directory)) {}

    /// Whether the file system of `scratch` holds projects to their limits; found out by doing it
    /// below that, which goes.
    [[nodiscard]] static bool works(const std::filesystem::path& scratch);

    [[nodiscard]] bool exists() const;
    [[nodiscard]] std::filesystem::path path() const { return directory_ / "disk"; }

    /// Makes one for that limit. No other may have the same `project`, which is not 0.
    [[nodiscard]] Result<> create(std::int64_t bytes, std::uint32_t project) const;
    /// `busy` at /disk_bytes when more is used now.
    [[nodiscard]] Result<> hold_to(std::int64_t bytes) const;
    /// Lets it take more than it is held to, until it is held again.
    [[nodiscard]] Result<> make_way() const;
    /// Holds it to what is used of it now.
    [[nodiscard]] Result<> fill() const;
    /// What is used of it, always exact.
    [[nodiscard]] Result<DiskUse> use() const;

private:
    [[nodiscard]] Result<> bound(std::int64_t bytes) const;
    std::filesystem::path directory_;
};

}  // namespace berth::engine
