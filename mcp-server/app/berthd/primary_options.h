// SPDX-License-Identifier: Apache-2.0
// [primary] in /etc/berth/berthd.toml: the sentinel that leads visitors to this host.
#pragma once

#include "mcp-server/config/config.h"
#include "tunnel/announce/announcer.h"

#include <memory>
#include <optional>
#include <string>

namespace berth::app {

/// Nothing when there is no such table. Problems are the file's.
[[nodiscard]] std::optional<tunnel::AnnouncerOptions> read_primary(ConfigFile& file,
                                                                   const std::string& pool);

/// Keeps this host registered, and logs what becomes of it; nothing for no options.
[[nodiscard]] Result<std::unique_ptr<tunnel::Announcer>> keep_registered(
    const std::optional<tunnel::AnnouncerOptions>& options);

}  // namespace berth::app
