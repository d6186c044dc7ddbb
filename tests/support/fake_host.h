// SPDX-License-Identifier: Apache-2.0
// A host whose containers are directories: the real service, store, images, exec and tools over an
// engine, a network and logins held in memory. A command "inside" is a real process of this
// machine, started by the real helper. Held to the same contract (the tools' examples) as the real
// host.
#pragma once

#include "host/container/container_service.h"
#include "host/container/keeper.h"
#include "host/operation/operations.h"
#include "host/snapshot/snapshot_service.h"
#include "host/tools/host_tools.h"
#include "tests/support/made_up_sysfs.h"
#include "tests/support/temporary_directory.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace berth {

/// Held to the same contract as the real ones (tests/host/engine/contract).
class FakeEngine final : public engine::ContainerEngine {
public:
    [[nodiscard]] std::string version() const override { return "fake"; }
    [[nodiscard]] Result<> create(const engine::Spec& spec,
                                  const std::vector<engine::SeedFile>& seeds) override;
    [[nodiscard]] Result<> start(const engine::Spec& spec) override;
    void begin(std::string_view id) override;
    [[nodiscard]] Result<> stop(std::string_view id, int timeout_seconds) override;
    [[nodiscard]] Result<> kill(std::string_view id) override;
    [[nodiscard]] Result<> destroy(std::string_view id) override;
    [[nodiscard]] Result<engine::Copied> copy_changes(const engine::Spec& spec,
                                                      const std::filesystem::path& to,
                                                      const engine::CopyBounds& bounds) override;
    [[nodiscard]] Result<> prepare_root(const engine::Spec& spec) override;
    [[nodiscard]] Result<> keep_root(const engine::Spec& spec) override;
    [[nodiscard]] bool running(std::string_view id) override {
        const std::lock_guard lock(mutex_);
        return running_.contains(id);
    }
    [[nodiscard]] bool mounted(std::string_view id) override {
        const std::lock_guard lock(mutex_);
        return mounted_.contains(id);
    }
    [[nodiscard]] Result<Fd> watch(std::string_view id) override;
    [[nodiscard]] engine::Ending ending(std::string_view id, const Fd& watch) override;
    [[nodiscard]] Result<> check(const engine::Limits& limits) const override;
    [[nodiscard]] Result<> check_share(const engine::Share& share,
                                       std::int64_t uid_base) const override;
    [[nodiscard]] Result<> limit(std::string_view id, const engine::Limits& from,
                                 const engine::Limits& to) override;
    [[nodiscard]] Result<> add_device(const engine::Spec& spec,
                                      const engine::Device& device) override;
    [[nodiscard]] Result<> remove_device(const engine::Spec& spec,
                                         const engine::Device& device) override;
    [[nodiscard]] Result<> renew_devices(const engine::Spec& spec) override;
    [[nodiscard]] Result<> rename(const engine::Spec& spec,
                                  const std::vector<engine::SeedFile>& seeds) override;
    [[nodiscard]] Result<engine::Usage> usage(const engine::Spec& spec) override;
    [[nodiscard]] std::optional<engine::RunningUse> running_use(std::string_view id) override;
    [[nodiscard]] std::optional<engine::DiskUse> own_disk_use(std::string_view id) override;
    [[nodiscard]] Result<> freeze(std::string_view id) override;
    [[nodiscard]] Result<> thaw(std::string_view id) override;
    [[nodiscard]] bool frozen(std::string_view id) override {
        const std::lock_guard lock(mutex_);
        return frozen_.contains(id);
    }
    [[nodiscard]] Result<> hold_still(std::string_view id) override;
    [[nodiscard]] Result<pid_t> init_pid(std::string_view id) override;
    [[nodiscard]] Result<std::vector<std::string>> leftovers() override;
    [[nodiscard]] Result<> inject(std::string_view id, const Fd& program,
                                  const Fd& connection) override;

    /// Whether begin() was called for the one that runs, or is within that time.
    [[nodiscard]] bool has_begun(std::string_view id, std::chrono::seconds wait = {});
    /// The container's init ends without anybody's call.
    void end_by_itself(std::string_view id, engine::Ending how);
    /// Everything that runs is gone, as after a power cut.
    void lose_power();
    std::map<std::string, engine::Limits, std::less<>> limits;  // as limit() has set them
    std::map<std::string, std::vector<engine::Share>, std::less<>> shares;  // of the last start
    /// By id and path, of what runs; and a path that something inside has open.
    std::map<std::string, std::map<std::string, engine::Device>, std::less<>> devices;
    std::string open_device = {};
    std::map<std::string, engine::DriverFiles, std::less<>> driver_files;  // of the last start
    std::int64_t disk_use_bytes = 4096;  // of every container, and of a copy of it
    bool limits_disk = true;             // whether this machine has means for disk_bytes

    /// The next calls of that name ("create", "start", "destroy", "limit", "freeze", "thaw",
    /// "copy", "prepare") fail.
    void fail_next(std::string call, int times = 1) {
        failing_ = std::move(call);
        failures_ = times;
    }
    /// Called at the begin of each "create", "start", "stop" and "destroy", and at the end of
    /// each "watch"; may take its time.
    std::function<void(std::string_view call)> on_call = {};
    [[nodiscard]] std::size_t count() const { return exists_.size(); }
    /// What each container's root is made of, as the engine was last told.
    std::map<std::string, engine::Root, std::less<>> roots;
    std::map<std::string, std::string, std::less<>> hostnames;

private:
    [[nodiscard]] Result<> maybe_fail(std::string_view call);
    [[nodiscard]] Result<> put(const engine::Spec& spec,
                               const std::vector<engine::SeedFile>& seeds);
    /// What a container has changed since it stands on that root: files of this machine.
    [[nodiscard]] std::filesystem::path changes(std::string_view id,
                                                const engine::Root& root) const {
        return files_.path() / id / (root.name.empty() ? "first" : root.name);
    }
    void tell(std::string_view call) const {
        if (on_call) on_call(call);
    }
    void ends(std::string_view id);
    TemporaryDirectory files_;
    std::mutex mutex_;
    std::condition_variable begins_;
    std::set<std::string, std::less<>> begun_;
    std::set<std::string, std::less<>> exists_, mounted_, running_, frozen_, with_disks_;
    std::map<std::string, Fd, std::less<>> watches_;  // eventfds, of those that are watched
    engine::Ending ending_ = engine::Ending::failed;
    std::string failing_;
    int failures_ = 0;
};

class FakeNetwork final : public net::Network {
public:
    [[nodiscard]] Result<bool> apply(const std::vector<net::Forward>& forwards) override;
    [[nodiscard]] Result<> check_free(const std::string& protocol, std::int64_t host_port) override;
    std::vector<net::Forward> applied;
    std::set<std::int64_t> used_by_host;
    bool refuse = false;
    bool written = false;        // since the host started
    bool found_changed = false;  // by the next apply()
};

class FakeLogins final : public ssh::Logins {
public:
    [[nodiscard]] Result<> open(std::string_view id, std::int64_t port) override;
    [[nodiscard]] Result<> await(std::string_view id, std::int64_t port, ssh::Wake wake) override;
    void close(std::string_view id) override;
    [[nodiscard]] Result<> prove(std::int64_t port) override;
    [[nodiscard]] ssh::LoginUse use(std::string_view id, std::int64_t port) override;
    std::set<std::string, std::less<>> open_logins;
    std::map<std::string, std::int64_t, std::less<>> listening;
    std::map<std::string, ssh::Wake, std::less<>> asleep;  // what a login there would call
    std::atomic<int> refuse_next = 0;                      // how many proofs fail before one holds

private:
    std::mutex mutex_;  // of the calls; a test looks at `listening` when none is under way
};

class FakeGuests final : public guest::Guests {
public:
    [[nodiscard]] Result<> open(std::string_view id, const std::filesystem::path&) override {
        const std::lock_guard lock(mutex_);
        listening.emplace(id);
        return {};
    }
    void close(std::string_view id, const std::filesystem::path&) override {
        const std::lock_guard lock(mutex_);
        if (const auto found = listening.find(id); found != listening.end()) listening.erase(found);
    }
    std::set<std::string, std::less<>> listening;

private:
    std::mutex mutex_;  // of the calls
};

/// The time of this machine, put forward by tests.
class ForwardClock final : public Clock {
public:
    [[nodiscard]] std::chrono::system_clock::time_point wall() const override {
        return std::chrono::system_clock::now() + ahead_.load();
    }
    [[nodiscard]] std::chrono::steady_clock::time_point steady() const override {
        return std::chrono::steady_clock::now() + ahead_.load();
    }
    void advance(std::chrono::milliseconds by) { ahead_ = ahead_.load() + by; }

private:
    std::atomic<std::chrono::milliseconds> ahead_ = std::chrono::milliseconds(0);
};

/// Everything joined as berthd joins it. Its files go with it.
class FakeHost {
public:
    struct Settings {
        bool gpus_shared_by_owner = false;
        bool allow_nesting = true;
    };
    FakeHost() : FakeHost(Settings{}) {}
    explicit FakeHost(Settings settings);

    Settings settings;  // a change of them holds from the next restart on

    TemporaryDirectory directory;
    Sysfs sysfs;
    gpu::Gpus gpus;
    ForwardClock clock;
    events::Events events;
    FakeEngine engine;
    FakeNetwork network;
    FakeLogins logins;
    FakeGuests guests;
    std::unique_ptr<store::Database> database;
    std::atomic<int> next_warning = 0;  // numbered, so that tests know their ids
    std::unique_ptr<warning::Warnings> warnings;
    image::ImageStore images;
    std::unique_ptr<exec::AgentLink> agents;
    std::unique_ptr<exec::Executor> executor;
    std::unique_ptr<snapshot::LayerStore> layers;
    std::unique_ptr<container::ContainerService> containers;
    std::unique_ptr<container::Keeper> keeper;  // looks when a test tells it to
    std::unique_ptr<snapshot::SnapshotService> snapshots;
    std::unique_ptr<transfer::TransferService> transfers;
    std::atomic<int> next_operation = 0;  // operations are numbered, so that tests know their ids
    std::unique_ptr<ToolRegistry> registry;
    std::unique_ptr<operation::Operations> operations;  // after what its work uses

    /// How many containers the engine has, when those that are deleted are removed.
    [[nodiscard]] std::size_t remaining() {
        containers->finish_removals(std::chrono::seconds(10));
        return engine.count();
    }
    /// Lets go of everything in memory, as kill -9 would, and starts again on what was stored.
    void restart();

private:
    void join();
};

}  // namespace berth
