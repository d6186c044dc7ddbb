// SPDX-License-Identifier: Apache-2.0
// What this kernel offers and lacks, and what follows from it: for system_info.
#pragma once

#include "host/engine/lxc/lxc_engine.h"
#include "tools/types.h"

#include <vector>

namespace berth::app {

[[nodiscard]] std::vector<tools::Feature> probe_features(const engine::LxcEngine& engine);

}  // namespace berth::app
