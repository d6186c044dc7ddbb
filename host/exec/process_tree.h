// SPDX-License-Identifier: Apache-2.0
// Killing everything that a process has started, whatever it did to hide: its supervisor is the
// reaper of its orphans, so nothing below can leave the tree.
#pragma once

#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <chrono>

namespace berth::exec {

/// For the killed to be gone. Those of a container that is paused end when it goes on (cgroup v1).
inline constexpr std::chrono::milliseconds kill_time_max = std::chrono::seconds(5);

/// Kills all descendants of `root` (a pid of this namespace), but not `root` itself. Each is
/// stopped before any is killed, so that none can start another meanwhile. unavailable when some
/// have been killed and are left after that time.
[[nodiscard]] Result<> kill_descendants(pid_t root,
                                        std::chrono::milliseconds time_max = kill_time_max);

}  // namespace berth::exec
