// SPDX-License-Identifier: Apache-2.0
// The disk of a container's own, by whichever means it was made: a quota of the file system, or an
// image.
#pragma once

#include "host/engine/lxc/disk_image.h"
#include "host/engine/lxc/disk_quota.h"

namespace berth::engine {

class OwnDisk {
public:
    /// Of the container that `directory` belongs to; there need be none.
    explicit OwnDisk(const std::filesystem::path& directory)
        : image_(directory), quota_(directory) {}

    /// The best means of this machine; found out by doing it below `scratch`, which goes.
    [[nodiscard]] static DiskBy best(const std::filesystem::path& scratch);

    /// By what means there is one.
    [[nodiscard]] DiskBy by() const;
    [[nodiscard]] bool exists() const { return by() != DiskBy::none; }
    /// What is written below this is limited.
    [[nodiscard]] std::filesystem::path path() const { return image_.path(); }

    /// `project` is of DiskQuota::create(); `by` is not none.
    [[nodiscard]] Result<> create(std::int64_t bytes, std::uint32_t project, DiskBy by) const;
    /// Nothing to do when it is mounted, or none.
    [[nodiscard]] Result<> mount() const { return image_.mount(); }
    /// As that of DiskImage.
    [[nodiscard]] bool gave_up() const { return image_.gave_up(); }
    [[nodiscard]] Result<> hold_to(std::int64_t bytes) const;
    [[nodiscard]] Result<> make_way() const;
    [[nodiscard]] Result<> fill() const;
    [[nodiscard]] Result<DiskUse> use() const;

private:
    [[nodiscard]] bool has_quota() const { return by() == DiskBy::project_quota; }
    DiskImage image_;
    DiskQuota quota_;
};

}  // namespace berth::engine
