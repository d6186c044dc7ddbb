// SPDX-License-Identifier: Apache-2.0
// How the death of a TCP peer that says nothing any more is noticed.
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

namespace berth {

/// Has the kernel ask a peer that has been silent for 90 seconds, six times, every 15 seconds: the
/// connection to a dead one ends after three minutes. What a socket that listens accepts has this
/// too. It is not for data that a peer does not acknowledge: TCP_USER_TIMEOUT would be, but it also
/// ends connections whose peer is well and just does not read (the kernel counts a window that
/// stays closed), so that is left to net.ipv4.tcp_retries2.
[[nodiscard]] Result<> keep_alive(const Fd& socket);

}  // namespace berth
