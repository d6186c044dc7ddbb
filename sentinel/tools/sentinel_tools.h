// SPDX-License-Identifier: Apache-2.0
// Typed handlers: from the contract to the sentinel's registry.
#pragma once

#include "sentinel/control/status.h"
#include "sentinel/registry/token_policy.h"
#include "tools-schema/registry/tool_registry.h"

namespace berth::sentinel {

/// pool_list, pool_get, host_list, token_create, token_revoke. All outlive the registry's calls.
void bind_sentinel_tools(ToolRegistry& registry, StatusSource& status, TokenPolicy& policy);

}  // namespace berth::sentinel
