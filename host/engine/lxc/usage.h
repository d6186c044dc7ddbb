// SPDX-License-Identifier: Apache-2.0
// What a running container uses, as the kernel counts it.
#pragma once

#include "host/engine/container_engine.h"
#include "host/engine/lxc/cgroups.h"

#include <optional>
#include <string>
#include <string_view>

namespace berth::engine {

/// Nothing when its group is not there any more. `link` is the host's end of its network card.
[[nodiscard]] std::optional<RunningUse> running_use(const Cgroups& cgroups, std::string_view group,
                                                    const std::string& link);

}  // namespace berth::engine
