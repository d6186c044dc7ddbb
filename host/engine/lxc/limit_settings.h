// SPDX-License-Identifier: Apache-2.0
// Limits as files of cgroups: for the configuration of a container that starts, and for one that
// runs.
#pragma once

#include "host/engine/container_engine.h"
#include "host/engine/lxc/cgroups.h"

#include <string>
#include <string_view>
#include <vector>

namespace berth::engine {

struct LimitSetting {
    std::string controller;  // "memory"
    std::string file;        // "memory.max"
    std::string value;
    std::string none = {};  // the value of no limit, where a fresh group has none
};

/// Whether the kernel can hold a container's swap down. Where it cannot, none is ever asked for
/// and none can be kept away.
[[nodiscard]] bool limits_swap(const Cgroups& cgroups);
/// Whether the kernel can slow down what is read from and written to a disk.
[[nodiscard]] bool limits_io(const Cgroups& cgroups);

/// For whichever hierarchy holds each controller; `disk` is that of disk_under(). unsupported, at
/// the limit's field, when a limit has no means here.
[[nodiscard]] Result<std::vector<LimitSetting>> limit_settings(const Limits& limits,
                                                               const Cgroups& cgroups,
                                                               std::string_view disk);

/// Writes them into a running container's group: all, or on an error none. `busy` when it uses more
/// memory than it is to have.
[[nodiscard]] Result<> apply_limits(const Limits& limits, const Cgroups& cgroups,
                                    std::string_view disk, std::string_view group);

/// Halts everything in `group` and returns when it has halted, or lets it go on.
[[nodiscard]] Result<> set_frozen(const Cgroups& cgroups, std::string_view group, bool frozen);
[[nodiscard]] bool is_frozen(const Cgroups& cgroups, std::string_view group);

}  // namespace berth::engine
