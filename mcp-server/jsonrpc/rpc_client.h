// SPDX-License-Identifier: Apache-2.0
// The Invoker that carries a call to berthd.
#pragma once

#include "tools-schema/registry/invoker.h"

#include <memory>
#include <string>

namespace berth {

/// Connects when the first call is made, and again whenever berthd was restarted. Call::deadline
/// bounds the wait and is told to berthd; Call::cancelled breaks it off. `unavailable` when berthd
/// does not run. Safe from many threads at once.
[[nodiscard]] std::unique_ptr<Invoker> connect_rpc(std::string socket_path);

}  // namespace berth
