// SPDX-License-Identifier: Apache-2.0
// Where this machine tells of its GPUs. Options of berthd, so that tests can show it another one.
#pragma once

#include <filesystem>

namespace berth::gpu {

struct Roots {
    std::filesystem::path sysfs = "/sys";
    std::filesystem::path proc = "/proc";
    std::filesystem::path dev = "/dev";
    std::filesystem::path etc_cdi = "/etc/cdi";          // CDI specs of the administrator
    std::filesystem::path var_run_cdi = "/var/run/cdi";  // and generated ones, which win
    std::filesystem::path libraries = "/usr/lib";        // where NVIDIA's are, to compare versions
    std::filesystem::path nvidia_smi = "/usr/bin/nvidia-smi";
};

}  // namespace berth::gpu
