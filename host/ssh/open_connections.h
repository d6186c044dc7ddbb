// SPDX-License-Identifier: Apache-2.0
// Whether somebody is connected to a port of this host, as the kernel knows it: logins outlive
// berthd, and what it remembers of them does not.
#pragma once

#include "tools-schema/contract/result.h"

#include <cstdint>

namespace berth::ssh {

/// Whether a TCP connection to that local port is established (sock_diag(7)).
[[nodiscard]] Result<bool> is_connected_to(std::int64_t port);

}  // namespace berth::ssh
