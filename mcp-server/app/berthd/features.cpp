// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/berthd/features.h"

#include "base/fd.h"
#include "base/files.h"

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

}  // namespace

std::vector<tools::Feature> probe_features(const engine::Cgroups& cgroups) {
    std::vector<tools::Feature> features;
    for (const auto* controller : {"memory", "cpu", "pids"}) {
        const bool there = cgroups.legacy(controller) || cgroups.unified(controller);
        features.push_back(
            {.name = fmt::format("cgroup.{}", controller),
             .available = there,
             .effect = there ? "limits of this kind hold"
                             : "containers cannot be created, because they could not be limited"});
    }
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
    features.push_back({.name = "disk_quota",
                        .available = false,
                        .effect = "a container's files are limited by the host's disk only"});
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
