// SPDX-License-Identifier: Apache-2.0
// What a tree of files takes of the disk.
#pragma once

#include "host/engine/container_engine.h"

#include <chrono>
#include <cstdint>
#include <filesystem>

namespace berth::engine {

/// What `st_blocks` counts, on every file system.
inline constexpr std::int64_t stat_block_bytes = 512;

/// Counts the blocks of everything in `tree`, a file with several names once, without following
/// links or crossing into other file systems. What is not counted after `time_max` is missing, and
/// then it is no exact number.
[[nodiscard]] DiskUse disk_use(const std::filesystem::path& tree,
                               std::chrono::milliseconds time_max);

/// Why a disk of a container's own cannot be held to less than what is used of it: busy at
/// /disk_bytes.
[[nodiscard]] Error used_now(std::int64_t bytes);

}  // namespace berth::engine
