// SPDX-License-Identifier: Apache-2.0
// What the seccomp profile cannot say: liblxc 5 has no name for the 32-bit call that opens a
// socket, so that a family refused to every program was open to one that made the call by the
// 32-bit gate.
#pragma once

#include "tools-schema/contract/result.h"

#include <cstdint>

namespace berth::engine {

/// Unix, IPv4, IPv6, netlink and packets. The other families are rarely used code of the kernel;
/// that of virtual machines also reaches past the network namespace, to the hypervisor.
[[nodiscard]] bool is_allowed_family(std::uint32_t family);
inline constexpr std::uint32_t socket_family_max = 17;  // AF_PACKET

/// Refuses the other families to 32-bit calls of this process and all that it starts. Makes nothing
/// but system calls. False when the kernel refuses, for which it has no reason to a root.
[[nodiscard]] bool refuse_32bit_families();

}  // namespace berth::engine
