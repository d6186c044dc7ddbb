// SPDX-License-Identifier: Apache-2.0
// The kernel settings that containers' network needs. What stood there before is remembered in a
// file, so that a teardown can put it back.
#pragma once

#include "tools-schema/contract/result.h"

#include <filesystem>
#include <string>

namespace berth::net {

/// Forwarding on; the host's loopback routable on our bridge (for forwards from 127.0.0.1); bridged
/// frames not passed through iptables, which would break a forward from one container to another.
[[nodiscard]] Result<> set_sysctls(const std::string& bridge, const std::filesystem::path& memory);

/// Puts back what set_sysctls changed, except what somebody else has changed since.
[[nodiscard]] Result<> restore_sysctls(const std::filesystem::path& memory);

}  // namespace berth::net
