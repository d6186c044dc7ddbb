// SPDX-License-Identifier: Apache-2.0
// A host whose containers are directories: the real service, store, images, exec and tools over an
// engine, a network and logins held in memory. A command "inside" is a real process of this
// machine, started by the real helper. Held to the same contract (the tools' examples) as the real
// host.
#pragma once

#include "host/container/container_service.h"
#include "host/operation/operations.h"
#include "host/snapshot/snapshot_service.h"
#include "host/tools/host_tools.h"
#include "tests/support/made_up_sysfs.h"
#include "tests/support/temporary_directory.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace berth {

class FakeEngine final : public engine::ContainerEngine {
public:
    [[nodiscard]] std::string version() const override { return "fake"; }
    [[nodiscard]] Result<> create(const engine::Spec& spec,
                                  const std::vector<engine::SeedFile>& seeds) override;
    [[nodiscard]] Result<> start(const engine::Spec& spec) override;
    [[nodiscard]] Result<> stop(std::string_view id, int timeout_seconds) override;
    [[nodiscard]] Result<> destroy(std::string_view id) override;
    [[nodiscard]] Result<> freeze(const std::string& id) override;
    [[nodiscard]] Result<> thaw(const std::string& id) override;
    [[nodiscard]] bool frozen(const std::string& id) override;
    [[nodiscard]] Result<engine::Copied> copy_changes(const engine::Spec& spec,
                                                      const std::filesystem::path& to,
                                                      const engine::CopyBounds& bounds) override;
    [[nodiscard]] Result<> prepare_root(const engine::Spec& spec) override;
    [[nodiscard]] Result<> keep_root(const engine::Spec& spec) override;
    [[nodiscard]] bool running(std::string_view id) override;
    [[nodiscard]] Result<pid_t> init_pid(std::string_view id) override;
    [[nodiscard]] Result<std::vector<std::string>> leftovers() override;
    [[nodiscard]] Result<> inject(std::string_view id, const Fd& program,
                                  const Fd& connection) override;

    /// The next call of that name ("create", "start", "destroy", "copy", "prepare") fails.
    void fail_next(std::string call) { failing_ = std::move(call); }
    /// Called at the begin of each "create", "start", "stop" and "destroy"; may take its time.
    std::function<void(std::string_view call)> on_call = {};
    [[nodiscard]] std::size_t count() const { return exists_.size(); }
    /// What each container's root is made of, as the engine was last told.
    std::map<std::string, engine::Root, std::less<>> roots;

private:
    [[nodiscard]] Result<> maybe_fail(std::string_view call);
    void tell(std::string_view call) const {
        if (on_call) on_call(call);
    }
    std::mutex mutex_;
    std::set<std::string, std::less<>> exists_, running_, frozen_;
    std::string failing_;
};

class FakeNetwork final : public net::Network {
public:
    [[nodiscard]] Result<> apply(const std::vector<net::Forward>& forwards) override;
    [[nodiscard]] Result<> check_free(const std::string& protocol, std::int64_t host_port) override;
    std::vector<net::Forward> applied;
    std::set<std::int64_t> used_by_host;
    bool refuse = false;
};

class FakeLogins final : public ssh::Logins {
public:
    [[nodiscard]] Result<> open(std::string_view id, std::int64_t port) override;
    void close(std::string_view id) override;
    [[nodiscard]] Result<> prove(std::int64_t port) override;
    std::map<std::string, std::int64_t, std::less<>> listening;

private:
    std::mutex mutex_;  // of the calls; a test looks at `listening` when none is under way
};

/// Everything joined as berthd joins it. Its files go with it.
class FakeHost {
public:
    FakeHost();

    TemporaryDirectory directory;
    Sysfs sysfs;
    SystemClock clock;
    events::Events events;
    FakeEngine engine;
    FakeNetwork network;
    FakeLogins logins;
    std::unique_ptr<store::Database> database;
    image::ImageStore images;
    std::unique_ptr<exec::AgentLink> agents;
    std::unique_ptr<exec::Executor> executor;
    std::unique_ptr<snapshot::LayerStore> layers;
    std::unique_ptr<container::ContainerService> containers;
    std::unique_ptr<snapshot::SnapshotService> snapshots;
    std::atomic<int> next_operation = 0;  // operations are numbered, so that tests know their ids
    std::unique_ptr<ToolRegistry> registry;
    std::unique_ptr<operation::Operations> operations;  // after what its work uses

    /// Lets go of everything in memory, as kill -9 would, and starts again on what was stored.
    void restart();

private:
    void join();
};

}  // namespace berth
