// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/cpu_weight.h"

#include "base/files.h"

namespace berth::engine {

void weigh_containers(const Cgroups& cgroups, std::string_view group) {
    const auto directory = cgroups.directory("cpu", group);
    if (!directory || !make_directories(*directory)) return;
    // Ordinary is 1024 in version 1 (sched-design-CFS), and 100 in version 2 (cgroup-v2).
    if (cgroups.legacy("cpu"))
        (void)write_kernel_file(*directory / "cpu.shares", "256");
    else
        (void)write_kernel_file(*directory / "cpu.weight", "25");
}

}  // namespace berth::engine
