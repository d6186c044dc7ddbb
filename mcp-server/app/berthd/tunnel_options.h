// SPDX-License-Identifier: Apache-2.0
// [tunnel] in /etc/berth/berthd.toml: the sentinel through which this host is reached.
#pragma once

#include "mcp-server/config/config.h"
#include "tunnel/carry/dialer.h"

#include <memory>
#include <optional>
#include <string>

namespace berth::app {

/// Nothing when there is no such table. Problems are the file's.
[[nodiscard]] std::optional<tunnel::DialerOptions> read_tunnel(ConfigFile& file);

/// Keeps it open, and logs what becomes of it; nothing for no options.
[[nodiscard]] Result<std::unique_ptr<tunnel::Dialer>> keep_tunnel(
    const std::optional<tunnel::DialerOptions>& options, const std::string& pool);

}  // namespace berth::app
