// SPDX-License-Identifier: Apache-2.0
// How a process ended that is nobody's child here: what a pidfd knows of it (Linux 6.15).
#pragma once

#include "host/engine/container_engine.h"

#include <optional>

namespace berth::engine {

/// The wait status (waitpid(2)) of the ended process; nothing when the kernel does not tell, or
/// while its parent has not taken note.
[[nodiscard]] std::optional<int> exit_status_of(const Fd& pidfd);

/// What that status means for the init of a pid namespace: reboot(2) inside ends it by SIGINT for
/// halt and poweroff, and by SIGHUP for reboot.
[[nodiscard]] Ending ending_of(int wait_status);

/// Whether reboot(2) may have ended it: the kernel tells that to its parent alone, and to a pidfd
/// that it was killed, or of an init that has called it itself that it has ended with 0.
[[nodiscard]] bool may_be_reboot(int wait_status);

/// Whether this kernel keeps exit statuses for pidfds.
[[nodiscard]] bool tells_exit_status();

}  // namespace berth::engine
