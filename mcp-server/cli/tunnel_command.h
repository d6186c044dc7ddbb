// SPDX-License-Identifier: Apache-2.0
// `berth tunnel`: what listens on this machine, or near it, is reached through a sentinel.
#pragma once

#include "tools-schema/contract/json.h"
#include "tunnel/carry/dialer.h"

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace berth::cli {

struct CommandLine;

struct TunnelCommand {
    tunnel::DialerOptions dialer;
};

/// The words behind "tunnel". `printed` gets the help when that is asked for.
[[nodiscard]] Result<TunnelCommand> read_tunnel_command(std::vector<std::string> words,
                                                        CommandLine& line, std::string& printed);

/// Keeps the tunnel until `stop`. What becomes of it is told: an object with "state", and "error"
/// with what is wrong. An error when the sentinel refuses what cannot change by itself, before
/// anything was ever reached.
[[nodiscard]] Result<> run_tunnel_command(const TunnelCommand& command, const std::stop_token& stop,
                                          const std::function<void(const Json& news)>& told);

}  // namespace berth::cli
