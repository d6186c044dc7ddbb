// SPDX-License-Identifier: Apache-2.0
// The container engine on liblxc: unprivileged system containers on an overlay. Border file of
// <lxc/lxccontainer.h>.
#pragma once

#include "host/engine/container_engine.h"
#include "host/engine/lxc/cgroups.h"
#include "host/engine/lxc/devices.h"
#include "host/engine/lxc/disk.h"
#include "host/engine/lxc/launcher.h"
#include "host/engine/lxc/lxc_config.h"
#include "host/engine/lxc/monitor_fifo.h"
#include "host/engine/lxc/way_in.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

struct lxc_container;

namespace berth::engine {

class Rootfs;

struct LxcOptions {
    std::filesystem::path state_dir;  // <state_dir>/containers/<id> is a container's own directory
    std::string cgroup = "berth";
    std::filesystem::path helper;  // berth-agent, which containers begin with
    std::optional<int> lock = {};  // a descriptor that is held as long as any start is under way
};

class LxcEngine final : public ContainerEngine {
public:
    /// Writes the seccomp profile, loads that of AppArmor, probes the cgroups and starts the
    /// launcher, which forks.
    [[nodiscard]] static Result<std::unique_ptr<LxcEngine>> make(LxcOptions options);

    [[nodiscard]] std::string version() const override;
    [[nodiscard]] Result<> create(const Spec& spec, const std::vector<SeedFile>& seeds) override;
    [[nodiscard]] Result<> start(const Spec& spec) override;
    void begin(std::string_view id) override { way_in_.begin(id); }
    [[nodiscard]] Result<> stop(std::string_view id, int timeout_seconds) override;
    [[nodiscard]] Result<> kill(std::string_view id) override;
    [[nodiscard]] Result<> destroy(std::string_view id) override;
    [[nodiscard]] Result<Copied> copy_changes(const Spec& spec, const std::filesystem::path& to,
                                              const CopyBounds& bounds) override;
    [[nodiscard]] Result<> prepare_root(const Spec& spec) override;
    [[nodiscard]] Result<> keep_root(const Spec& spec) override;
    [[nodiscard]] bool running(std::string_view id) override;
    [[nodiscard]] bool mounted(std::string_view id) override;
    [[nodiscard]] Result<Fd> watch(std::string_view id) override;
    [[nodiscard]] Ending ending(std::string_view id, const Fd& watch) override;
    [[nodiscard]] Result<> check(const Limits& limits) const override;
    [[nodiscard]] Result<> check_share(const Share& share, std::int64_t uid_base) const override;
    [[nodiscard]] Result<> limit(std::string_view id, const Limits& from,
                                 const Limits& to) override;
    [[nodiscard]] Result<> add_device(const Spec& spec, const Device& device) override;
    [[nodiscard]] Result<> remove_device(const Spec& spec, const Device& device) override;
    [[nodiscard]] Result<> renew_devices(const Spec& spec) override;
    [[nodiscard]] Result<> rename(const Spec& spec, const std::vector<SeedFile>& seeds) override;
    [[nodiscard]] Result<Usage> usage(const Spec& spec) override;
    [[nodiscard]] std::optional<RunningUse> running_use(std::string_view id) override;
    [[nodiscard]] std::optional<DiskUse> own_disk_use(std::string_view id) override;
    [[nodiscard]] Result<> freeze(std::string_view id) override;
    [[nodiscard]] Result<> thaw(std::string_view id) override;
    [[nodiscard]] bool frozen(std::string_view id) override;
    [[nodiscard]] Result<> hold_still(std::string_view id) override;
    [[nodiscard]] Result<pid_t> init_pid(std::string_view id) override;
    [[nodiscard]] Result<std::vector<std::string>> leftovers() override;
    [[nodiscard]] Result<> inject(std::string_view id, const Fd& program,
                                  const Fd& connection) override;

    [[nodiscard]] const Cgroups& cgroups() const { return cgroups_; }
    /// What it was found at the start that this machine can limit, besides control groups.
    struct Means {
        DiskBy disk = DiskBy::none;
        bool rates = false;
        std::string unconfined_because;  // "" when containers have our AppArmor profile
    };
    [[nodiscard]] const Means& means() const { return means_; }
    /// Of disk_under(): the disk that containers' files lie on.
    [[nodiscard]] const std::string& disk() const { return disk_; }
    /// As Launcher::on_restart().
    void on_launcher_restart(std::function<void()> told) { launcher_->on_restart(std::move(told)); }
    /// From now on every container sees its own limits in /proc, as that directory shows them; with
    /// "", what the kernel shows. Those that run see it when this returns.
    void show_views(const std::filesystem::path& provider);
    /// Removes the groups and directories that are left when no container is.
    void remove_shared();

private:
    LxcEngine(LxcOptions options, Cgroups cgroups, std::unique_ptr<Launcher> launcher, WayIn way_in,
              std::unique_ptr<MonitorFifo> monitors, Means means)
        : options_(std::move(options)),
          cgroups_(std::move(cgroups)),
          launcher_(std::move(launcher)),
          way_in_(std::move(way_in)),
          monitors_(std::move(monitors)),
          disk_(disk_under(options_.state_dir)),
          means_(std::move(means)) {}
    struct Release {
        void operator()(lxc_container* container) const noexcept;
    };
    using Handle = std::unique_ptr<lxc_container, Release>;

    [[nodiscard]] Handle open(std::string_view id) const;
    [[nodiscard]] Result<> furnish(const Spec& spec, pid_t init);
    [[nodiscard]] std::filesystem::path directory(std::string_view id) const;
    [[nodiscard]] std::filesystem::path lxc_path() const { return options_.state_dir / "lxc"; }
    [[nodiscard]] std::vector<pid_t> processes(std::string_view id) const;
    [[nodiscard]] bool monitored(std::string_view id) const;
    [[nodiscard]] Result<> kill_processes(std::string_view id) const;
    [[nodiscard]] Result<> end_processes(std::string_view id) const;
    [[nodiscard]] static Result<> remove_links(std::string_view id);
    void remove_groups(std::string_view id) const;
    void remember(std::string_view id, lxc_container* container);
    void let_go_on(std::string_view id);
    [[nodiscard]] DeviceNodes nodes(std::string_view id) const;
    /// busy when something inside could still use it.
    [[nodiscard]] Result<> check_unused(std::string_view id, const Device& device) const;
    void take_away(const Spec& spec, const Device& device, pid_t init);
    [[nodiscard]] Result<> set_policy(std::string_view id, const char* item, const Device& device);
    [[nodiscard]] std::filesystem::path views();
    void show_views_in(std::string_view id, const std::filesystem::path& provider);
    /// For what berth itself writes, also when the container has filled it; held again by start().
    [[nodiscard]] static Result<> open_disk(const Rootfs& rootfs);
    [[nodiscard]] static Result<> hold_disk(const Rootfs& rootfs, const Limits& limits);
    [[nodiscard]] static Result<> limit_rates(std::string_view id, const Limits& limits);

    struct Init {
        Fd handle;  // a pidfd
        bool ended = false;
        bool frozen = false;
    };

    LxcOptions options_;
    Cgroups cgroups_;
    std::unique_ptr<Launcher> launcher_;
    WayIn way_in_;
    std::unique_ptr<MonitorFifo> monitors_;
    std::string disk_;
    Means means_;
    std::mutex mutex_;
    std::filesystem::path views_;
    /// Each init that was seen running. One that has ended stays until the next start, so that
    /// what liblxc starts in its place, when something inside reboots, is not taken for running.
    std::map<std::string, Init, std::less<>> inits_;
};

}  // namespace berth::engine
