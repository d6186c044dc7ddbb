// SPDX-License-Identifier: Apache-2.0
// What a CDI spec wants done beside device nodes and variables, as steps that berth takes itself.
// Its hooks are programs to be run as root of the host: none is. Those of NVIDIA's toolkit are
// known by name and arguments, and what they would do is done without them.
#pragma once

#include "host/engine/container_engine.h"
#include "host/gpu/cdi.h"

#include <string>
#include <vector>

namespace berth::gpu::cdi {

struct Steps {
    engine::DriverFiles files = {};
    std::vector<std::string> left_out = {};  // hooks without which the device works, by name
};

/// unsupported, naming it, for a mount that is no plain bind mount or has an option that is not
/// known; for a mount, link or mode at a path that confines the container or that berth mounts
/// itself; for a hook that is not known; for additional groups; and for a variable of more than one
/// line. Pure.
[[nodiscard]] Result<Steps> steps_of(const Edits& edits);

}  // namespace berth::gpu::cdi
