// SPDX-License-Identifier: Apache-2.0
// The Invoker that carries a call to berthd, and the way to hear what happens there.
#pragma once

#include "tools-schema/registry/invoker.h"

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

namespace berth {

/// Connects when the first call is made, and again whenever berthd was restarted. The whole of Call
/// is told to berthd; Call::deadline bounds the wait, Call::cancelled breaks it off and ends the
/// call there, Call::report is called from within invoke(). `unavailable` when berthd does not run.
/// Safe from many threads at once.
[[nodiscard]] std::unique_ptr<Invoker> connect_rpc(std::string socket_path);

/// Calls `on_open` when berthd begins to tell, so that nothing is missed from then on, and
/// `on_event` for each event; both on this thread. Returns well when stop is requested, and
/// `unavailable` when berthd is not there, falls silent, or cuts a follower off that is too slow;
/// then whoever follows should do it again, and look at everything anew in `on_open`.
[[nodiscard]] Result<> follow_events(const std::string& socket_path, std::stop_token stop,
                                     std::function<void(const Json&)> on_event,
                                     std::function<void()> on_open = {});

}  // namespace berth
