// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/berthd/features.h"

#include "base/fd.h"
#include "base/files.h"
#include "host/engine/lxc/limit_settings.h"

#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

namespace berth::app {
namespace {

bool apparmor() {
    const auto enabled = read_file("/sys/module/apparmor/parameters/enabled");
    return enabled && enabled->starts_with('Y');
}

bool overlay_layers_by_descriptor() {
    const Fd overlay(::fsopen("overlay", FSOPEN_CLOEXEC));
    const Fd layer(::open_tree(AT_FDCWD, "/", OPEN_TREE_CLOEXEC));
    return overlay && layer &&
           ::fsconfig(overlay.get(), FSCONFIG_SET_FD, "lowerdir+", nullptr, layer.get()) == 0;
}

bool ipv6() {
    return static_cast<bool>(Fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)));
}

tools::Feature disk_speed(const engine::LxcEngine& engine) {
    if (engine.disk().empty())
        return {.name = "disk_speed",
                .available = false,
                .effect = "io limits are refused, because containers' files lie on no single disk"};
    if (!engine::limits_io(engine.cgroups()))
        return {.name = "disk_speed",
                .available = false,
                .effect = "io limits are refused, because this kernel has none"};
    return {.name = "disk_speed",
            .available = true,
            .effect = engine.cgroups().legacy("blkio")
                          ? "io limits hold for reads and for writes that somebody waits for; what "
                            "the kernel writes back later is not counted (cgroup v1)"
                          : "io limits hold"};
}

}  // namespace

std::vector<tools::Feature> probe_features(const engine::LxcEngine& engine) {
    const auto& cgroups = engine.cgroups();
    std::vector<tools::Feature> features;
    for (const auto* controller : {"memory", "cpu", "pids"}) {
        const bool there = cgroups.legacy(controller) || cgroups.unified(controller);
        features.push_back(
            {.name = fmt::format("cgroup.{}", controller),
             .available = there,
             .effect = there ? "limits of this kind hold"
                             : "containers cannot be created, because they could not be limited"});
    }
    const bool swap = engine::limits_swap(cgroups);
    features.push_back({.name = "swap",
                        .available = swap,
                        .effect = swap ? "a container swaps no more than its swap_bytes"
                                       : "containers swap as the kernel likes, and swap_bytes is "
                                         "refused, because this kernel does not count swap"});
    features.push_back(disk_speed(engine));
    const bool by_descriptor = overlay_layers_by_descriptor();
    features.push_back(
        {.name = "overlay.layers_by_descriptor",
         .available = by_descriptor,
         .effect = by_descriptor
                       ? "a container's root is mounted without a step in between"
                       : "a container's root is mounted in one step more (Linux before 6.13)"});
    features.push_back({.name = "apparmor",
                        .available = apparmor(),
                        .effect = "no profile is applied; user namespaces, seccomp, capabilities "
                                  "and device rules confine containers"});
    const bool quota = engine.means().disk;
    features.push_back(
        {.name = "disk_quota",
         .available = quota,
         .effect = quota ? "a container with disk_bytes has a file-system image of its own; one "
                           "without is limited by the host's disk only"
                         : "disk_bytes is refused, because no file-system image could be made and "
                           "mounted: that needs mkfs.ext4, loop devices and ext4"});
    const bool rates = engine.means().rates;
    features.push_back(
        {.name = "network_rate",
         .available = rates,
         .effect = rates ? "limits of what a container receives and sends hold"
                         : "such limits are refused, because the kernel lacks sch_tbf, "
                           "sch_ingress, cls_u32, act_mirred or ifb"});
    const bool six = ipv6();
    features.push_back(
        {.name = "ipv6",
         .available = six,
         .effect =
             six ? "SSH entries listen on IPv6 too; containers and port forwards have IPv4 only"
                 : "everything is IPv4"});
    return features;
}

}  // namespace berth::app
