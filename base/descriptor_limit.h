// SPDX-License-Identifier: Apache-2.0
// How many descriptors this process may have.
#pragma once

#include <cstdint>

namespace berth {

/// As many as the administrator allows (RLIMIT_NOFILE): what a shell starts gets 1,024 of them, so
/// that select(2) keeps working, and whoever uses none may take the rest. Says how many there are.
std::uint64_t raise_descriptor_limit() noexcept;

}  // namespace berth
