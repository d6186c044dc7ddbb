// SPDX-License-Identifier: Apache-2.0
// How much of the processors containers get when there are not enough for all.
#pragma once

#include "host/engine/lxc/cgroups.h"

#include <string_view>

namespace berth::engine {

/// All containers together weigh a quarter of an ordinary group: whoever keeps them, and an
/// administrator's login, come first, and what is left is theirs. Makes the group. Where the
/// kernel offers no weights to it, nothing changes.
void weigh_containers(const Cgroups& cgroups, std::string_view group);

}  // namespace berth::engine
