// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/lxc_config.h"

#include "host/engine/lxc/limit_settings.h"
#include "host/engine/lxc/way_in_protocol.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace berth::engine {
namespace {

// null, zero, full, random, urandom; tty, console, ptmx; pseudo-terminals. All else is refused.
constexpr std::array<std::string_view, 9> allowed_devices{"c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",
                                                          "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm",
                                                          "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm"};

constexpr std::array<std::string_view, 9> masked_files{
    "proc/kcore",      "proc/keys",          "proc/key-users",
    "proc/kmsg",       "proc/timer_list",    "proc/sched_debug",
    "proc/interrupts", "proc/latency_stats", "proc/pagetypeinfo"};
constexpr std::array<std::string_view, 6> masked_directories{
    "proc/acpi",        "proc/scsi",         "sys/firmware", "sys/devices/virtual/powercap",
    "sys/kernel/debug", "sys/kernel/tracing"};

struct ProcessLimit {
    std::string_view name;
    int resource;
    rlim_t soft;
    rlim_t hard;
};
constexpr rlim_t none = RLIM_INFINITY;

// Each limit that a process has, so that none is what berthd happened to be started with. They
// bound a process; what bounds a container are its control groups.
constexpr std::array<ProcessLimit, 16> process_limits{{
    {"as", RLIMIT_AS, none, none},
    // One byte: no core dump. A pattern of the host's that names a program would start that on the
    // host, as its root, with what crashed inside; and this is the one value that prevents it.
    {"core", RLIMIT_CORE, 1, 1},
    {"cpu", RLIMIT_CPU, none, none},
    {"data", RLIMIT_DATA, none, none},
    {"fsize", RLIMIT_FSIZE, none, none},
    {"locks", RLIMIT_LOCKS, none, none},
    {"memlock", RLIMIT_MEMLOCK, 8 << 20, 8 << 20},
    {"msgqueue", RLIMIT_MSGQUEUE, 819'200, 819'200},
    {"nice", RLIMIT_NICE, 0, 0},
    {"nofile", RLIMIT_NOFILE, 1024, open_files_max},
    {"nproc", RLIMIT_NPROC, none, none},
    {"rss", RLIMIT_RSS, none, none},
    {"rtprio", RLIMIT_RTPRIO, 0, 0},
    {"rttime", RLIMIT_RTTIME, none, none},
    {"sigpending", RLIMIT_SIGPENDING, 65'536, 65'536},
    {"stack", RLIMIT_STACK, 8 << 20, none},
}};

/// Whether this process may give out more than it has; berthd may, unless its service forbids it.
bool may_raise_limits() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    return ::syscall(SYS_capget, &header, sets.data()) == 0 &&
           (sets[0].effective & (1U << CAP_SYS_RESOURCE)) != 0;
}

std::string limit_text(rlim_t value) {
    return value == RLIM_INFINITY ? "unlimited" : std::to_string(value);
}

Result<> add_limits(LxcConfig& config, const Limits& limits, const Cgroups& cgroups,
                    std::string_view disk) {
    for (auto& setting : BERTH_TRY(limit_settings(limits, cgroups, disk))) {
        if (setting.value == setting.none) continue;  // a fresh group has no such limit
        const auto* const prefix =
            cgroups.legacy(setting.controller) ? "lxc.cgroup." : "lxc.cgroup2.";
        config.emplace_back(prefix + setting.file, std::move(setting.value));
    }
    return {};
}

void add_devices(LxcConfig& config, const Spec& spec, const Cgroups& cgroups) {
    // On the unified hierarchy the rules become a BPF program; no controller is needed for that.
    const std::string_view key =
        cgroups.legacy("devices") ? "lxc.cgroup.devices" : "lxc.cgroup2.devices";
    config.emplace_back(fmt::format("{}.deny", key), "a");
    for (const auto device : allowed_devices)
        config.emplace_back(fmt::format("{}.allow", key), device);
    for (const auto& device : spec.devices)
        config.emplace_back(fmt::format("{}.allow", key), device_rule(device, device.access));
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
    config.emplace_back("lxc.mount.entry",
                        "mqueue dev/mqueue mqueue nosuid,nodev,noexec,create=dir,optional 0 0");
}

/// A path as fstab(5) has it.
std::string escaped(const std::filesystem::path& path) {
    std::string out;
    for (const char letter : path.string()) {
        if (letter == ' ' || letter == '\t' || letter == '\n' || letter == '\\')
            out += fmt::format("\\{:03o}", static_cast<unsigned char>(letter));
        else
            out += letter;
    }
    return out;
}

/// In a /dev that liblxc makes itself, so it cannot be there before. Nothing in it belongs to the
/// container: writable or not, nothing inside can change it.
void add_device_files(LxcConfig& config, const Spec& spec) {
    if (spec.device_files.empty()) return;
    config.emplace_back("lxc.mount.entry",
                        fmt::format("{} {} none bind,ro,nosuid,nodev,noexec,create=dir 0 0",
                                    escaped(spec.device_files), guest_devices));
}

/// Nodes that the host has made, since nothing inside can make any.
void add_device_nodes(LxcConfig& config, const Spec& spec, const LxcPaths& paths) {
    for (const auto& device : spec.devices)
        config.emplace_back(
            "lxc.mount.entry",
            fmt::format("{} {} none bind,nosuid,noexec,create=file 0 0",
                        escaped(paths.nodes.path_of(device)), escaped(device.path.substr(1))));
    // Confined by the host where they stand, and the kernel lets nothing inside change that.
    for (const auto& [stand, inside, directory] : paths.run_mounts)
        config.emplace_back("lxc.mount.entry",
                            fmt::format("{} {} none rbind,create={} 0 0", escaped(stand),
                                        escaped(inside), directory ? "dir" : "file"));
    for (const auto& variable : spec.environment) config.emplace_back("lxc.environment", variable);
}

/// The helper in the place of init, which it becomes.
void add_way_in(LxcConfig& config, const LxcPaths& paths) {
    config.emplace_back("lxc.init.cmd", fmt::format("{} {}", way_in_program, init_program));
    config.emplace_back("lxc.mount.entry",
                        fmt::format("{} {} none bind,ro,nosuid,nodev,noexec,create=dir 0 0",
                                    escaped(paths.way_in), way_in_directory + 1));
    config.emplace_back("lxc.mount.entry", fmt::format("{} {} none bind,ro,nosuid,nodev 0 0",
                                                       escaped(paths.helper), way_in_program + 1));
}

/// Files of the kernel that tell of the host and that nothing inside needs. Root inside can take
/// these covers away again; what then holds is the files' own permissions, which are not its.
void add_masks(LxcConfig& config) {
    for (const auto file : masked_files) {
        config.emplace_back("lxc.mount.entry",
                            fmt::format("/dev/null {} none bind,ro,optional 0 0", file));
    }
    for (const auto directory : masked_directories) {
        config.emplace_back(
            "lxc.mount.entry",
            fmt::format("tmpfs {} tmpfs ro,nosuid,nodev,noexec,size=4k,optional 0 0", directory));
    }
}

/// The kernel lets a user namespace mount /proc or /sys only when its mounts have one already of
/// which nothing is covered, and those that everybody looks at have covers. The places are LXC's.
void add_nesting(LxcConfig& config) {
    for (const std::string_view mount : {"proc dev/.lxc/proc proc", "sysfs dev/.lxc/sys sysfs"})
        config.emplace_back("lxc.mount.entry",
                            fmt::format("{} nosuid,nodev,noexec,create=dir 0 0", mount));
}

}  // namespace

std::string host_interface(std::string_view id) {
    return fmt::format("{}{}", host_interface_prefix, id);
}
std::string detour_interface(std::string_view id) {
    return fmt::format("{}{}", detour_interface_prefix, id);
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

bool is_usual(const Device& device) {
    const auto all = fmt::format("{} {}:* rwm", device.type, device.major);
    return std::ranges::any_of(allowed_devices, [&](std::string_view rule) {
        return rule == device_rule(device, "rwm") || rule == all;
    });
}

LxcConfig process_limit_config(rlim_t files_max) {
    LxcConfig config;
    const bool may_raise = may_raise_limits();
    for (auto [name, resource, soft, hard] : process_limits) {
        if (resource == RLIMIT_NOFILE) hard = files_max;
        rlimit own{};
        if (!may_raise && ::getrlimit(static_cast<__rlimit_resource>(resource), &own) == 0) {
            hard = std::min(hard, own.rlim_max);
            soft = std::min(soft, hard);
        }
        config.emplace_back(fmt::format("lxc.prlimit.{}", name),
                            limit_text(soft) + ":" + limit_text(hard));
    }
    return config;
}

LxcConfig::value_type no_new_privileges() {
    return {"lxc.no_new_privs", "1"};
}

Result<LxcConfig> lxc_config(const Spec& spec, const LxcPaths& paths, const Cgroups& cgroups) {
    LxcConfig config{
        {"lxc.uts.name", spec.hostname},
        {"lxc.log.file", paths.log.string()},
        {"lxc.log.level", "WARN"},
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
        // Not left to liblxc's default, which is whatever profile the distribution has loaded.
        {"lxc.apparmor.profile", paths.apparmor},
        {"lxc.seccomp.profile", paths.seccomp.string()},
        // Without it liblxc takes the filter that its own process has for the profile, and loads
        // none.
        {"lxc.seccomp.allow_nesting", "1"},
        {"lxc.net.0.type", "empty"},  // a namespace; the engine connects it before init begins
        {"lxc.cgroup.dir.container", payload_group(paths.cgroup, spec.id)},
        {"lxc.cgroup.dir.monitor", monitor_group(paths.cgroup, spec.id)},
        {"lxc.cgroup.dir.monitor.pivot", pivot_group(paths.cgroup)},
    };
    if (spec.no_new_privileges) config.push_back(no_new_privileges());
    const auto files_max = spec.nesting ? nesting_open_files_max : open_files_max;
    for (auto& limit : process_limit_config(files_max)) config.push_back(std::move(limit));
    add_mounts(config, paths);
    add_way_in(config, paths);
    add_device_files(config, spec);
    add_device_nodes(config, spec, paths);
    add_masks(config);
    if (spec.nesting) add_nesting(config);
    add_devices(config, spec, cgroups);
    BERTH_TRY(add_limits(config, spec.limits, cgroups, paths.disk));
    return config;
}

}  // namespace berth::engine
