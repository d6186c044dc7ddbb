// SPDX-License-Identifier: Apache-2.0
// [[standby]] in /etc/berth/berthd.toml: which containers are booted before anybody asks for them.
#pragma once

#include "host/container/standby_keeper.h"
#include "mcp-server/config/config.h"

#include <vector>

namespace berth::app {

/// Each table has a `count`, and else what container_create takes, with the same defaults. Problems
/// are the file's.
[[nodiscard]] std::vector<container::StandbyTemplate> read_standby(ConfigFile& file);

}  // namespace berth::app
