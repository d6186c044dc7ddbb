// SPDX-License-Identifier: Apache-2.0
// Everything about berthd that can be set: in /etc/berth/berthd.toml, and by the flag of the same
// name.
#pragma once

#include "host/container/standby_keeper.h"
#include "tools-schema/contract/result.h"
#include "tunnel/announce/announcer.h"
#include "tunnel/carry/dialer.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace berth::app {

struct DaemonOptions {
    std::string state_dir = "/var/lib/berth";
    std::string runtime_dir = "/run/berth";
    std::string image_dir = {};   // "": <state_dir>/images
    std::string export_dir = {};  // "": <state_dir>/exports
    std::string socket = {};      // "": <runtime_dir>/berthd.sock
    std::string socket_group = "berth";
    std::string bridge = "berth0";
    std::string subnet = "10.86.0.0/16";
    std::string ssh_ports = "20000-29999";
    std::string forward_ports = "30000-32767";
    std::int64_t uid_base = 1'000'000;
    std::string cgroup = "berth";
    std::string sysfs_root = "/sys";
    std::string proc_root = "/proc";
    std::string dev_root = "/dev";
    std::string cdi_dir = "/etc/cdi";
    std::string cdi_run_dir = "/var/run/cdi";
    std::string libraries_root = "/usr/lib";
    std::string nvidia_smi = "/usr/bin/nvidia-smi";
    std::string agent = "/usr/local/libexec/berth/berth-agent";
    std::string lxcfs = "/usr/bin/lxcfs";  // "": containers see the host's /proc/meminfo
    std::string log_level = "info";
    bool stop_containers_on_exit = false;
    std::int64_t shutdown_timeout = 30;  // seconds, for all containers together
    std::string host_name = {};          // "": what the machine calls itself
    std::string pool = {};               // "": none
    bool guest_sockets = true;
    bool gpus_shared_by_owner = false;
    bool allow_nesting = true;
    std::vector<std::string> shares_allowed = {};
    std::vector<container::StandbyTemplate> standby = {};  // in the file alone
    std::optional<tunnel::DialerOptions> tunnel = {};      // the same
    std::optional<tunnel::AnnouncerOptions> primary = {};  // the same
};

enum class Command : std::uint8_t {
    serve,
    build_image,
    shutdown_containers,
    teardown,
    write_cdi,
    dump
};

struct Invocation {
    Command command = Command::serve;
    DaemonOptions options;
    std::string image;   // of build_image
    std::string output;  // of write_cdi: a file; "": standard output
    bool force = false;  // of build_image: build anew even if it is there
};

/// Reads the command line and the configuration file; flags win. An exit code instead where the
/// program has nothing more to do: --help, --version, or wrong usage, which has been explained
/// then.
[[nodiscard]] std::expected<Invocation, int> read_invocation(int argc, char** argv);

}  // namespace berth::app
