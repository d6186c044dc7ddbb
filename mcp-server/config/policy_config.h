// SPDX-License-Identifier: Apache-2.0
// The table [policy] of mcp.toml.
#pragma once

#include "mcp-server/config/config.h"
#include "mcp-server/policy/policy.h"

namespace berth {

/// What is wrong with it is told to the file, with its place.
[[nodiscard]] policy::PolicySettings read_policy(ConfigFile& file);

}  // namespace berth
