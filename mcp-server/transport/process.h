// SPDX-License-Identifier: Apache-2.0
// What a server process arranges with the system before it starts its first thread.
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

namespace berth {

/// Turns SIGTERM, SIGINT and SIGHUP into something to poll, for this and all later threads, and
/// ignores SIGPIPE. Readable once the process is asked to end.
[[nodiscard]] Result<Fd> take_ending_signals();

/// Takes standard output for the caller alone: what a library prints there goes to standard error.
[[nodiscard]] Result<Fd> take_standard_output();

/// Asks the kernel for SIGTERM when the process that started this one ends.
void end_with_parent();

}  // namespace berth
