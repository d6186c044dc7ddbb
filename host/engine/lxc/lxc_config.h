// SPDX-License-Identifier: Apache-2.0
// The complete liblxc configuration of a container, as values. Nothing is included from files of
// the distribution: those cost half a second at stop and clear the device rules.
#pragma once

#include "host/engine/container_engine.h"
#include "host/engine/lxc/cgroups.h"
#include "host/engine/lxc/devices.h"
#include "host/engine/lxc/driver_files.h"

#include <sys/resource.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace berth::engine {

struct LxcPaths {
    std::filesystem::path rootfs;       // the mounted overlay
    std::filesystem::path mount_point;  // where liblxc assembles the container's view
    std::filesystem::path seccomp;
    std::string apparmor = "unconfined";  // the name of a loaded profile
    std::filesystem::path log;
    std::string cgroup;     // parent group, for example "berth"
    std::string disk = {};  // of disk_under()
    DeviceNodes nodes = DeviceNodes({});
    std::vector<RunMount> run_mounts = {};
    std::filesystem::path way_in;  // of WayIn::prepare()
    std::filesystem::path helper;  // WayIn::helper()
};

using LxcConfig = std::vector<std::pair<std::string, std::string>>;

/// Every key is one that liblxc refuses to start without understanding; limits are written for
/// whichever hierarchy holds their controller. unsupported when a limit's controller is nowhere.
[[nodiscard]] Result<LxcConfig> lxc_config(const Spec& spec, const LxcPaths& paths,
                                           const Cgroups& cgroups);

/// Whether every container may open it, so that it is nobody's to give or take.
[[nodiscard]] bool is_usual(const Device& device);

/// How many files a process may have open at most, and with nesting: what podman gives to each
/// container of its own, as Linux lets any process have by itself (fs.nr_open).
inline constexpr rlim_t open_files_max = 524'288;
inline constexpr rlim_t nesting_open_files_max = 1'048'576;

/// The limits that every process of a container starts with, also one that comes in from outside.
[[nodiscard]] LxcConfig process_limit_config(rlim_t files_max = open_files_max);

/// Nothing that starts with it can get more privileges than it has.
[[nodiscard]] LxcConfig::value_type no_new_privileges();

/// The host's end of the container's veth pair (at most 15 characters).
[[nodiscard]] std::string host_interface(std::string_view id);
inline constexpr std::string_view host_interface_prefix = "bh";
/// What the container sends takes its way through this one, while that is limited.
[[nodiscard]] std::string detour_interface(std::string_view id);
inline constexpr std::string_view detour_interface_prefix = "bi";

/// The cgroup, below the parent group, of a container and of its monitor.
[[nodiscard]] std::string payload_group(std::string_view cgroup, std::string_view id);
[[nodiscard]] std::string monitor_group(std::string_view cgroup, std::string_view id);
/// Where liblxc moves a monitor that is about to end.
[[nodiscard]] std::string pivot_group(std::string_view cgroup);

}  // namespace berth::engine
