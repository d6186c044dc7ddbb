// SPDX-License-Identifier: Apache-2.0
// How many descriptors this process may have.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace berth {

/// As many as the administrator allows (RLIMIT_NOFILE): what a shell starts gets 1,024 of them, so
/// that select(2) keeps working, and whoever uses none may take the rest. Says how many there are.
std::uint64_t raise_descriptor_limit() noexcept;

/// Gives a child, or (0) the calling process, the limit that there was before it was raised: what
/// it starts was not asked. Does nothing when it was not. May be called between fork(2) and
/// exec(2).
void usual_descriptor_limit(pid_t process) noexcept;

}  // namespace berth
