// SPDX-License-Identifier: Apache-2.0
// Two daemons behind one door: the sentinel's tools go to berth-sentinel, all others to berthd.
#pragma once

#include "tools-schema/registry/invoker.h"

#include <memory>
#include <string>

namespace berth {

inline constexpr const char* sentinel_socket_default = "/run/berth-sentinel/admin.sock";

/// `sentinel_socket` is the --admin-socket of berth-sentinel; "" when there is none, and then its
/// tools are `unavailable` and say what to do. Safe from many threads at once.
[[nodiscard]] std::unique_ptr<Invoker> with_sentinel(std::unique_ptr<Invoker> berthd,
                                                     std::string sentinel_socket);

}  // namespace berth
