// SPDX-License-Identifier: Apache-2.0
// Which disk files lie on, as control groups name disks.
#pragma once

#include <filesystem>
#include <string>

namespace berth::engine {

/// "254:0", the whole disk whose file system has `path`: what is slowed down is a disk, and not a
/// part of one. "" for a file system that has no disk of its own (btrfs, ZFS, tmpfs).
[[nodiscard]] std::string disk_under(const std::filesystem::path& path,
                                     const std::filesystem::path& sysfs = "/sys");
/// The same for a device by its number, "254:1".
[[nodiscard]] std::string disk_of(const std::string& device, const std::filesystem::path& sysfs);

}  // namespace berth::engine
