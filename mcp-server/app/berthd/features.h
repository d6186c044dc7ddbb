// SPDX-License-Identifier: Apache-2.0
// What this kernel offers and lacks, and what follows from it: for system_info, and as warnings.
#pragma once

#include "host/engine/lxc/lxc_engine.h"
#include "host/warning/warnings.h"
#include "tools/types.h"

#include <vector>

namespace berth::app {

[[nodiscard]] std::vector<tools::Feature> probe_features(const engine::LxcEngine& engine);

/// Raises a warning for each that is missing, and resolves those of the others.
void tell_features(const std::vector<tools::Feature>& features, warning::Warnings& warnings);

}  // namespace berth::app
