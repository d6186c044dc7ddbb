// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/lxc_config.h"

#include "host/engine/lxc/limit_settings.h"

#include <fmt/format.h>

#include <array>

namespace berth::engine {
namespace {

// null, zero, full, random, urandom; tty, console, ptmx; pseudo-terminals. All else is refused.
constexpr std::array<std::string_view, 9> allowed_devices{"c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",
                                                          "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm",
                                                          "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm"};

Result<> add_limits(LxcConfig& config, const Limits& limits, const Cgroups& cgroups) {
    for (auto& setting : BERTH_TRY(limit_settings(limits, cgroups))) {
        const auto* const prefix =
            cgroups.legacy(setting.controller) ? "lxc.cgroup." : "lxc.cgroup2.";
        config.emplace_back(prefix + setting.file, std::move(setting.value));
    }
    if (cgroups.unified("memory")) config.emplace_back("lxc.cgroup2.memory.swap.max", "0");
    return {};
}

void add_devices(LxcConfig& config, const Cgroups& cgroups) {
    // On the unified hierarchy the rules become a BPF program; no controller is needed for that.
    const std::string_view key =
        cgroups.legacy("devices") ? "lxc.cgroup.devices" : "lxc.cgroup2.devices";
    config.emplace_back(fmt::format("{}.deny", key), "a");
    for (const auto device : allowed_devices)
        config.emplace_back(fmt::format("{}.allow", key), device);
}

void add_mounts(LxcConfig& config, const LxcPaths& paths) {
    config.emplace_back("lxc.rootfs.path", "dir:" + paths.rootfs.string());
    config.emplace_back("lxc.rootfs.mount", paths.mount_point.string());
    config.emplace_back("lxc.mount.auto", "proc:mixed sys:mixed cgroup:mixed");
    // Mounted before init, so that a login finds sshd's directory however early it comes; systemd
    // keeps a /run that is there.
    config.emplace_back("lxc.mount.entry",
                        "tmpfs run tmpfs nosuid,nodev,mode=755,size=64m,create=dir 0 0");
    config.emplace_back(
        "lxc.mount.entry",
        "tmpfs run/sshd tmpfs ro,nosuid,nodev,noexec,mode=755,size=4k,create=dir 0 0");
}

void add_network(LxcConfig& config, const Spec& spec) {
    const auto set = [&config](std::string_view key, std::string value) {
        config.emplace_back(fmt::format("lxc.net.0.{}", key), std::move(value));
    };
    set("type", "veth");
    set("link", spec.network.bridge);
    set("veth.pair", host_interface(spec.id));
    set("name", "eth0");
    set("hwaddr", spec.network.mac);
    set("ipv4.address", fmt::format("{}/{}", spec.network.ipv4, spec.network.prefix_length));
    set("ipv4.gateway", spec.network.gateway);
    set("flags", "up");
}

}  // namespace

std::string host_interface(std::string_view id) {
    return fmt::format("{}{}", host_interface_prefix, id);
}
std::string payload_group(std::string_view cgroup, std::string_view id) {
    return fmt::format("{}/{}", cgroup, id);
}
std::string monitor_group(std::string_view cgroup, std::string_view id) {
    return fmt::format("{}.monitor/{}", cgroup, id);
}
std::string pivot_group(std::string_view cgroup) {
    return fmt::format("{}.pivot", cgroup);
}

Result<LxcConfig> lxc_config(const Spec& spec, const LxcPaths& paths, const Cgroups& cgroups) {
    LxcConfig config{
        {"lxc.uts.name", spec.hostname},
        {"lxc.log.file", paths.log.string()},
        {"lxc.log.level", "WARN"},
        {"lxc.init.cmd", "/sbin/init"},
        {"lxc.signal.halt", "SIGRTMIN+3"},  // systemd's own shutdown signal
        {"lxc.signal.reboot", "SIGRTMIN+5"},
        {"lxc.environment", "container=lxc"},
        {"lxc.console.path", "none"},
        {"lxc.tty.max", "0"},
        {"lxc.pty.max", "1024"},
        {"lxc.autodev", "1"},
        {"lxc.idmap", fmt::format("u 0 {} {}", spec.uid_base, ids_per_container)},
        {"lxc.idmap", fmt::format("g 0 {} {}", spec.uid_base, ids_per_container)},
        // Without meaning in a user namespace, or a way to the host's hardware and clock.
        {"lxc.cap.drop", "mac_admin mac_override sys_module sys_rawio sys_time"},
        // Not left to liblxc's default, which is whatever profile the distribution has loaded;
        // berth has none of its own yet, and system_info says so.
        {"lxc.apparmor.profile", "unconfined"},
        {"lxc.seccomp.profile", paths.seccomp.string()},
        {"lxc.cgroup.dir.container", payload_group(paths.cgroup, spec.id)},
        {"lxc.cgroup.dir.monitor", monitor_group(paths.cgroup, spec.id)},
        {"lxc.cgroup.dir.monitor.pivot", pivot_group(paths.cgroup)},
    };
    add_mounts(config, paths);
    add_network(config, spec);
    add_devices(config, cgroups);
    BERTH_TRY(add_limits(config, spec.limits, cgroups));
    return config;
}

}  // namespace berth::engine
