// SPDX-License-Identifier: Apache-2.0
// What ^C means while a call is under way.
#pragma once

#include <memory>
#include <stop_token>

namespace berth::cli {

/// Until what is returned goes away, the first SIGINT asks `source` to stop and the second ends the
/// process at once. A SIGINT that was ignored when berth started (nohup, a shell's background)
/// stays ignored. One at a time in a process.
[[nodiscard]] std::shared_ptr<void> stop_on_interrupt(std::stop_source source);

}  // namespace berth::cli
