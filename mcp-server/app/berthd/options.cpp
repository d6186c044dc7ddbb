// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/berthd/options.h"

#include "mcp-server/app/berthd/primary_options.h"
#include "mcp-server/app/berthd/standby_options.h"
#include "mcp-server/app/berthd/tunnel_options.h"
#include "mcp-server/config/config.h"
#include "tools-schema/contract/error_table.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace berth::app {
namespace {

constexpr std::string_view default_config = "/etc/berth/berthd.toml";
constexpr std::int64_t uid_base_min = 65536, uid_base_max = 4'000'000'000;
constexpr std::int64_t shutdown_seconds_max = 3600;
const std::vector<std::string> log_levels{"debug", "info", "warning", "error"};

/// One row is a key of the file, a flag, and a line of --help.
struct Setting {
    std::string_view key;
    std::string DaemonOptions::* value;
    std::string_view says;
};

constexpr std::array settings{
    Setting{"state_dir", &DaemonOptions::state_dir, "What must survive a reboot"},
    Setting{"runtime_dir", &DaemonOptions::runtime_dir, "What need not"},
    Setting{"image_dir", &DaemonOptions::image_dir, "Images (default: <state-dir>/images)"},
    Setting{"export_dir", &DaemonOptions::export_dir,
            "Where exports by name go (default: <state-dir>/exports)"},
    Setting{"socket", &DaemonOptions::socket,
            "Where berthd answers (default: <runtime-dir>/berthd.sock)"},
    Setting{"socket_group", &DaemonOptions::socket_group, "Whose members may call it"},
    Setting{"bridge", &DaemonOptions::bridge, "The bridge that containers hang on"},
    Setting{"subnet", &DaemonOptions::subnet, "Their addresses"},
    Setting{"ssh_ports", &DaemonOptions::ssh_ports, "Host ports for their SSH entries"},
    Setting{"forward_ports", &DaemonOptions::forward_ports,
            "Host ports for forwards that name none"},
    Setting{"cgroup", &DaemonOptions::cgroup, "The parent of containers' control groups"},
    Setting{"sysfs_root", &DaemonOptions::sysfs_root, "Where GPUs are looked for"},
    Setting{"proc_root", &DaemonOptions::proc_root, "Where their drivers tell of them"},
    Setting{"dev_root", &DaemonOptions::dev_root, "Where their device nodes are"},
    Setting{"cdi_dir", &DaemonOptions::cdi_dir, "CDI specs of devices"},
    Setting{"cdi_run_dir", &DaemonOptions::cdi_run_dir, "Generated CDI specs, which win"},
    Setting{"libraries_root", &DaemonOptions::libraries_root, "Where NVIDIA's libraries are"},
    Setting{"nvidia_smi", &DaemonOptions::nvidia_smi, "NVIDIA's tool"},
    Setting{"agent", &DaemonOptions::agent, "berth's helper for containers"},
    Setting{"host_name", &DaemonOptions::host_name,
            "What containers are told of where they are (default: the machine's name)"},
    Setting{"pool", &DaemonOptions::pool, "The pool that this host belongs to"},
    Setting{"lxcfs", &DaemonOptions::lxcfs,
            "What shows containers their own limits in /proc; empty: nothing does"},
    Setting{"log_level", &DaemonOptions::log_level, "debug, info, warning or error"},
};

std::string flag_of(std::string_view key) {
    std::string flag = fmt::format("--{}", key);
    std::ranges::replace(flag, '_', '-');
    return flag;
}

/// A directory whose content may be shared. The whole machine is none.
Result<> check_allowed(const std::string& path) {
    const std::filesystem::path plain(path);
    if (path.size() > 1 && path.starts_with('/') && !path.ends_with('/') &&
        plain.lexically_normal().string() == path)
        return {};
    return fail(ErrorCode::invalid_argument,
                fmt::format("has '{}', which is no absolute path of a directory below /, without "
                            "'.', '..' and a '/' at its end",
                            path));
}

/// The file's values into `options`, except where a flag of that name was given.
Result<> read_file_into(DaemonOptions& options, const std::string& path, const CLI::App& app) {
    auto file = ConfigFile::read(path.empty() ? default_config : path);
    if (!file && path.empty() && file.error().code == ErrorCode::not_found) return {};
    if (!file) return fail(file.error());
    for (const auto& [key, value, says] : settings) {
        const auto found = file->string(key);
        if (found && key == "log_level" &&
            std::ranges::find(log_levels, *found) == log_levels.end())
            file->reject(key, "must be debug, info, warning or error");
        if (found && app.count(flag_of(key)) == 0) options.*value = *found;
    }
    const auto uid_base = file->integer("uid_base", uid_base_min, uid_base_max);
    if (uid_base && app.count("--uid-base") == 0) options.uid_base = *uid_base;
    const auto stop = file->boolean("stop_containers_on_exit");
    if (stop && app.count("--stop-containers-on-exit") == 0)
        options.stop_containers_on_exit = *stop;
    const auto timeout = file->integer("shutdown_timeout", 0, shutdown_seconds_max);
    if (timeout && app.count("--shutdown-timeout") == 0) options.shutdown_timeout = *timeout;
    const auto guests = file->boolean("guest_sockets");
    if (guests && app.count("--no-guest-sockets") == 0) options.guest_sockets = *guests;
    const auto gpus = file->boolean("gpus_shared_by_owner");
    if (gpus && app.count("--gpus-shared-by-owner") == 0) options.gpus_shared_by_owner = *gpus;
    const auto nesting = file->boolean("allow_nesting");
    if (nesting && app.count("--no-nesting") == 0) options.allow_nesting = *nesting;
    const auto allowed = file->strings("shares.allowed");
    if (allowed && app.count("--shares-allowed") == 0) options.shares_allowed = *allowed;
    for (const auto& directory : options.shares_allowed) {
        if (const auto fine = check_allowed(directory); !fine && allowed)
            file->reject("shares.allowed", fine.error().message);
    }
    options.standby = read_standby(*file);
    options.tunnel = read_tunnel(*file);
    options.primary = read_primary(*file, options.pool);
    return file->finish();
}

}  // namespace

std::expected<Invocation, int> read_invocation(int argc, char** argv) {
    Invocation invocation;
    std::string config;
    CLI::App app("berthd: runs containers on this host for berth");
    app.set_version_flag("--version", "berthd " BERTH_VERSION);
    app.add_option(
        "--config", config,
        fmt::format("The configuration file (default: {}, if it is there)", default_config));
    for (const auto& [key, value, says] : settings) {
        auto* option = app.add_option(flag_of(key), invocation.options.*value, std::string(says))
                           ->capture_default_str();
        if (key == "log_level") option->check(CLI::IsMember(log_levels));
    }
    app.add_option("--uid-base", invocation.options.uid_base,
                   "The first uid that is given to a container")
        ->capture_default_str()
        ->check(CLI::Range(uid_base_min, uid_base_max));
    app.add_flag("--stop-containers-on-exit", invocation.options.stop_containers_on_exit,
                 "Stop containers when berthd is stopped");
    app.add_option("--shutdown-timeout", invocation.options.shutdown_timeout,
                   "Seconds for containers to stop, before they are killed")
        ->capture_default_str()
        ->check(CLI::Range(std::int64_t{0}, shutdown_seconds_max));

    app.add_flag("--no-guest-sockets{false}", invocation.options.guest_sockets,
                 "Tell no container about itself at /dev/berth/sock");
    app.add_flag("--gpus-shared-by-owner", invocation.options.gpus_shared_by_owner,
                 "Let containers with the same label 'owner' hold one GPU together");
    app.add_flag("--no-nesting{false}", invocation.options.allow_nesting,
                 "Let no container run containers of its own");
    app.add_option("--shares-allowed", invocation.options.shares_allowed,
                   "Directories of this host that containers may be given a share of")
        ->check([](const std::string& path) {
            const auto fine = check_allowed(path);
            return fine ? "" : fine.error().message;
        });

    auto* image = app.add_subcommand("image", "Work on images");
    image->require_subcommand(1);
    auto* build = image->add_subcommand("build", "Build an image, unless it is there");
    build->add_option("name", invocation.image, "debian-12")->required();
    build->add_flag("--force", invocation.force, "Build it even if it is there");
    const auto* shutdown = app.add_subcommand("shutdown-containers",
                                              "Stop every container, for a host that goes down");
    const auto* teardown =
        app.add_subcommand("teardown", "Remove every container and what berthd made around them");
    const auto* dump = app.add_subcommand(
        "dump", "Print what berthd has stored as SQL, without secrets, for somebody who helps");
    auto* cdi = app.add_subcommand("cdi", "Describe this host's GPUs for container runtimes (CDI)");
    cdi->add_option("--output", invocation.output,
                    "The file, for example /var/run/cdi/berth.json (default: standard output)");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return std::unexpected(
            app.exit(problem) == 0 ? 0 : error_info(ErrorCode::invalid_argument).exit);
    }
    if (build->parsed()) invocation.command = Command::build_image;
    if (shutdown->parsed()) invocation.command = Command::shutdown_containers;
    if (cdi->parsed()) invocation.command = Command::write_cdi;
    if (dump->parsed()) invocation.command = Command::dump;
    if (teardown->parsed()) invocation.command = Command::teardown;
    if (const auto read = read_file_into(invocation.options, config, app); !read) {
        fmt::print(stderr, "berthd: {}\n", read.error().message);
        return std::unexpected(error_info(read.error().code).exit);
    }
    return invocation;
}

}  // namespace berth::app
