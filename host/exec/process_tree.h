// SPDX-License-Identifier: Apache-2.0
// Killing everything that a process has started, whatever it did to hide: its supervisor is the
// reaper of its orphans, so nothing below can leave the tree.
#pragma once

#include "tools-schema/contract/result.h"

#include <sys/types.h>

namespace berth::exec {

/// Kills all descendants of `root` (a pid of this namespace), but not `root` itself. Each is
/// stopped before any is killed, so that none can start another meanwhile. unavailable when some
/// are left after a bounded number of rounds.
[[nodiscard]] Result<> kill_descendants(pid_t root);

}  // namespace berth::exec
