// SPDX-License-Identifier: Apache-2.0
// The system calls that no container may make, in the profile format that liblxc reads.
#pragma once

#include <string>

namespace berth::engine {

/// A deny list, format version 2 (lxc.container.conf(5)). It holds for init and, because liblxc
/// applies it on attach too, for everything that exec and SSH start.
[[nodiscard]] std::string seccomp_profile();

}  // namespace berth::engine
