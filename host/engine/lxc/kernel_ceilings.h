// SPDX-License-Identifier: Apache-2.0
// Ceilings of the kernel that all containers share, because they are counted for root of the host:
// Debian's default of 128 inotify instances is reached with some twenty containers, and then the
// next one's init cannot start.
#pragma once

#include <filesystem>

namespace berth::engine {

/// Raises what is lower than a thousand containers need, and never lowers anything; it stays
/// raised, because others may rely on it by then. What cannot be raised is logged.
void raise_kernel_ceilings(const std::filesystem::path& proc_sys = "/proc/sys");

}  // namespace berth::engine
