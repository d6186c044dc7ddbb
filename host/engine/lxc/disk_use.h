// SPDX-License-Identifier: Apache-2.0
// What a tree of files takes of the disk.
#pragma once

#include "host/engine/container_engine.h"

#include <chrono>
#include <filesystem>

namespace berth::engine {

/// Counts the blocks of everything in `tree`, a file with several names once, without following
/// links or crossing into other file systems. What is not counted after `time_max` is missing, and
/// then it is no exact number.
[[nodiscard]] DiskUse disk_use(const std::filesystem::path& tree,
                               std::chrono::milliseconds time_max);

}  // namespace berth::engine
