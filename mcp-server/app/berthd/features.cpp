// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/berthd/features.h"

#include "base/fd.h"
#include "host/engine/lxc/limit_settings.h"
#include "host/engine/lxc/lxc_version.h"
#include "host/warning/kinds.h"

#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace berth::app {
namespace {

using warning::Severity;

/// How bad it is that a host lacks one of these, and what to do about it.
struct Missing {
    std::string_view feature;
    Severity severity;
    std::string_view next;
};
constexpr std::array missing_features{
    Missing{"cgroup.memory", Severity::critical, "mount the memory controller, and restart berthd"},
    Missing{"cgroup.cpu", Severity::critical, "mount the cpu controller, and restart berthd"},
    Missing{"cgroup.pids", Severity::critical, "mount the pids controller, and restart berthd"},
    Missing{"tested_liblxc", Severity::warning,
            "install liblxc 5.0.2 or newer, and restart berthd"},
    Missing{"overlay.layers_by_descriptor", Severity::info, "nothing; Linux 6.13 or newer has it"},
    Missing{"apparmor", Severity::warning,
            "boot the kernel with AppArmor, install the package apparmor, and restart berthd"},
    Missing{"disk_quota", Severity::warning,
            "keep an eye on the disk: one container can fill it for all"},
    Missing{"ipv6", Severity::info, "nothing, unless SSH entries are wanted on IPv6"},
};

/// What stands in for a quota is weaker than what was asked for; the others are only missing.
std::string_view type_of(std::string_view feature) {
    return feature == "disk_quota" ? warning::quota_fallback : warning::feature_missing;
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

tools::Feature disk_quota(engine::DiskBy means) {
    tools::Feature feature{.name = "disk_quota", .available = true, .effect = {}};
    switch (means) {
        case engine::DiskBy::project_quota:
            feature.effect = "a container with disk_bytes has a quota of this host's file system";
            break;
        case engine::DiskBy::image:
            feature.effect = "a container with disk_bytes has a file-system image of its own";
            break;
        case engine::DiskBy::none:
            return {.name = "disk_quota",
                    .available = false,
                    .effect =
                        "disk_bytes is refused, because no file-system image could be made "
                        "and mounted: that needs mkfs.ext4, loop devices and ext4"};
    }
    feature.effect += "; one without is limited by the host's disk only";
    return feature;
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
    const auto version = engine.version();  // "lxc 5.0.2"
    const auto trouble =
        engine::trouble_with_lxc(std::string_view(version).substr(version.find(' ') + 1));
    features.push_back({.name = "tested_liblxc",
                        .available = !trouble,
                        .effect = trouble ? fmt::format("this is {}: {}", version, *trouble)
                                          : fmt::format("this is {}", version)});
    const bool by_descriptor = overlay_layers_by_descriptor();
    features.push_back(
        {.name = "overlay.layers_by_descriptor",
         .available = by_descriptor,
         .effect = by_descriptor
                       ? "a container's root is mounted without a step in between"
                       : "a container's root is mounted in one step more (Linux before 6.13)"});
    const auto& unconfined = engine.means().unconfined_because;
    features.push_back(
        {.name = "apparmor",
         .available = unconfined.empty(),
         .effect = unconfined.empty()
                       ? "containers have a profile beside what else confines them"
                       : fmt::format("no profile is applied ({}); user namespaces, seccomp, "
                                     "capabilities and device rules confine containers",
                                     unconfined)});
    features.push_back(disk_quota(engine.means().disk));
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

void tell_features(const std::vector<tools::Feature>& features, warning::Warnings& warnings) {
    for (const auto& feature : features) {
        const auto entity = fmt::format("feature/{}", feature.name);
        const auto type = type_of(feature.name);
        if (feature.available) {
            warnings.resolve(type, entity);
            continue;
        }
        const auto* const known =
            std::ranges::find(missing_features, feature.name, &Missing::feature);
        const bool found = known != missing_features.end();
        warnings.raise({.type = type,
                        .severity = found ? known->severity : Severity::warning,
                        .entity = entity,
                        .message = fmt::format("{} is missing: {}", feature.name, feature.effect),
                        .next = found ? std::string(known->next)
                                      : fmt::format("have the operator provide {} if you need it",
                                                    feature.name)});
    }
}

}  // namespace berth::app
