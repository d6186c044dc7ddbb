// SPDX-License-Identifier: Apache-2.0
// What is known of an end without the parent of who has ended: by a pidfd (Linux 6.15). Of an init
// that reboot(2) has ended it says something else.
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

}  // namespace berth::engine
