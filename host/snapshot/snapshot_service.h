// SPDX-License-Identifier: Apache-2.0
// Snapshots of containers' files, and containers made from others. A snapshot is a copy of what the
// container has changed, taken while everything inside stands still; a restored or forked container
// stands on it, and starts with nothing of its own.
#pragma once

#include "host/container/container_service.h"
#include "host/snapshot/layer_store.h"
#include "host/store/snapshots.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace berth::snapshot {

inline constexpr std::size_t snapshots_per_container_max = 256;
/// The snapshots of a container with a disk of its own take at most so many times that disk.
inline constexpr std::int64_t snapshot_disks_max = 4;
inline constexpr std::size_t forks_max = 32;

struct SnapshotWish {
    ContainerName container;
    std::optional<std::string> name = {};  // absent: the next of s1, s2, …
    std::string description = {};
};

struct ForkWish {
    ContainerName container;
    std::vector<ContainerName> names;
    bool start = true;
};

class SnapshotService {
public:
    SnapshotService(container::ContainerService& containers, LayerStore& layers,
                    store::Database& database, engine::ContainerEngine& engine)
        : containers_(containers),
          layers_(layers),
          database_(database),
          snapshots_(database),
          engine_(engine) {}

    [[nodiscard]] Result<store::Snapshot> create(const SnapshotWish& wish,
                                                 const container::Waiting& waiting = {});
    /// The name that create() would give now; fails as create() would, but for want of room on the
    /// host, and changes nothing.
    [[nodiscard]] Result<std::string> rehearse_create(const SnapshotWish& wish);
    /// Of one container, or of all; by container, in the order taken.
    [[nodiscard]] Result<std::vector<store::Snapshot>> list(
        const std::optional<ContainerName>& container);
    [[nodiscard]] Result<store::Snapshot> find(const ContainerName& container,
                                               const std::string& name);
    /// Replaces all files of a stopped container by the snapshot's; with `restart` a running one is
    /// stopped for it and started again. Whole or not at all, also across a crash.
    [[nodiscard]] Result<container::View> restore(const ContainerName& container,
                                                  const std::string& name, bool restart,
                                                  const container::Waiting& waiting = {});
    [[nodiscard]] Result<> remove(const ContainerName& container, const std::string& name,
                                  const container::Waiting& waiting = {});

    /// All of them, or, when one fails, none. The source stands still while its files are copied.
    [[nodiscard]] Result<std::vector<container::View>> fork(const ForkWish& wish,
                                                            const container::Waiting& waiting = {});
    /// Fails as fork() would, as far as that is known beforehand, and changes nothing.
    [[nodiscard]] Result<> rehearse_fork(const ForkWish& wish);

private:
    [[nodiscard]] Result<std::string> free_name(std::string_view container_id,
                                                const SnapshotWish& wish);
    /// quota_exceeded when another snapshot would be more than its disk allows.
    [[nodiscard]] Result<> check_room(const store::Container& row);
    [[nodiscard]] Result<> check_names(const ForkWish& wish);
    [[nodiscard]] Result<std::vector<container::View>> fork_pinned(
        const ForkWish& wish, const container::Waiting& waiting);
    [[nodiscard]] Result<std::vector<container::View>> make_forks(
        const container::CreateWish& like, const ForkWish& wish, const container::Waiting& waiting);

    container::ContainerService& containers_;
    LayerStore& layers_;
    store::Database& database_;
    store::Snapshots snapshots_;
    engine::ContainerEngine& engine_;
};

}  // namespace berth::snapshot
