// SPDX-License-Identifier: Apache-2.0
// A copy of a directory tree that is the same in everything an overlay layer is made of: types,
// owners, modes, times, extended attributes, holes, hard links, whiteouts and opaque directories.
#pragma once

#include "host/engine/container_engine.h"

#include <filesystem>

namespace berth::engine {

/// Copies what is below `from`, which may be hostile but must not change meanwhile, into `to`,
/// which must not exist. Shares blocks where the file system can. On failure `to` may be there in
/// part. Symbolic links are copied and never followed, and other file systems are not entered.
[[nodiscard]] Result<Copied> copy_tree(const std::filesystem::path& from,
                                       const std::filesystem::path& to, const CopyBounds& bounds);

}  // namespace berth::engine
