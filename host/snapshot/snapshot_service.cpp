// SPDX-License-Identifier: Apache-2.0
#include "host/snapshot/snapshot_service.h"

#include "base/fault.h"
#include "base/files.h"
#include "base/log.h"
#include "base/rollback.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

namespace berth::snapshot {
namespace {

constexpr std::size_t root_name_bytes = 4;
constexpr std::size_t starts_at_once_max = 4;  // more would only wait for each other's kernel locks

Error no_such(const ContainerName& container, const std::string& name) {
    return make_error(ErrorCode::not_found, fmt::format("container '{}' has no snapshot '{}'",
                                                        container.to_string(), name))
        .at("/snapshot")
        .call("snapshot_list", {{"container", container.to_string()}});
}

}  // namespace

Result<std::string> SnapshotService::free_name(std::string_view container_id,
                                               const SnapshotWish& wish) {
    const auto there = BERTH_TRY(snapshots_.list(container_id));
    if (there.size() >= snapshots_per_container_max) {
        return fail(make_error(ErrorCode::quota_exceeded,
                               fmt::format("a container has at most {} snapshots",
                                           snapshots_per_container_max))
                        .at("/container")
                        .next("delete one with snapshot_delete")
                        .call("snapshot_list", {{"container", wish.container.to_string()}}));
    }
    const auto taken = [&there](const std::string& name) {
        return std::ranges::find(there, name, &store::Snapshot::name) != there.end();
    };
    if (wish.name && taken(*wish.name)) {
        return fail(make_error(ErrorCode::already_exists,
                               fmt::format("container '{}' has a snapshot '{}' already",
                                           wish.container.to_string(), *wish.name))
                        .at("/name")
                        .next("choose another name, or leave it out")
                        .call("snapshot_list", {{"container", wish.container.to_string()}}));
    }
    if (wish.name) return *wish.name;
    std::size_t number = there.size() + 1;
    while (taken(fmt::format("s{}", number))) ++number;
    return fmt::format("s{}", number);
}

Result<std::string> SnapshotService::rehearse_create(const SnapshotWish& wish) {
    auto view = containers_.get(wish.container);
    if (!view) return fail(std::move(view).error().at("/container"));
    BERTH_TRY(check_room(view->row));
    return free_name(view->row.id, wish);
}

Result<> SnapshotService::check_room(const store::Container& row) {
    if (row.limits.disk_bytes == 0) return {};  // the host's own reserve bounds it
    std::int64_t taken = 0;
    for (const auto& snapshot : BERTH_TRY(snapshots_.list(row.id))) taken += snapshot.bytes;
    const auto use = engine_.own_disk_use(row.id);
    const auto wanted = use ? use->bytes : 0;
    const auto bound = snapshot_disks_max * row.limits.disk_bytes;
    if (taken + wanted <= bound) return {};
    return fail(
        make_error(ErrorCode::quota_exceeded,
                   fmt::format("the snapshots of container '{}' take {} bytes and another one may "
                               "take {}; {} times its disk_bytes is the most, which is {}",
                               row.name, taken, wanted, snapshot_disks_max, bound))
            .at("/container")
            .next("delete one with snapshot_delete, or give the container more disk_bytes")
            .call("snapshot_list", {{"container", row.name}}));
}

Result<store::Snapshot> SnapshotService::create(const SnapshotWish& wish,
                                                const container::Waiting& waiting) {
    std::optional<store::Snapshot> made;
    BERTH_TRY(containers_.change(
        wish.container, "take a snapshot of", waiting, [&](const engine::Spec& spec) -> Result<> {
            const auto name = BERTH_TRY(free_name(spec.id, wish));
            const auto row = BERTH_TRY(containers_.get(wish.container)).row;
            BERTH_TRY(check_room(row));
            const auto pin = layers_.new_layer();
            const auto layer =
                BERTH_TRY(layers_.take(spec, row.image_digest, pin.id(), waiting.cancelled));
            Rollback undo;
            undo.on_failure([this, id = layer.id]() noexcept { layers_.discard(id); });
            BERTH_TRY(database_.transact([&]() -> Result<> {
                BERTH_TRY(layers_.insert(layer));
                BERTH_TRY(fault::at("snapshot.record"));
                return snapshots_.insert({.container_id = spec.id,
                                          .name = name,
                                          .description = wish.description,
                                          .layer_id = layer.id,
                                          .created_at = layer.created_at});
            }));
            undo.keep();
            made = BERTH_TRY(snapshots_.find(spec.id, name));
            return {};
        }));
    if (!made) return fail(ErrorCode::internal, "a snapshot was taken and is not there");
    return *std::move(made);
}

Result<std::vector<store::Snapshot>> SnapshotService::list(
    const std::optional<ContainerName>& container) {
    if (!container) return snapshots_.list();
    const auto view = containers_.get(*container);
    if (!view) return fail(Error(view.error()).at("/container"));
    return snapshots_.list(view->row.id);
}

Result<store::Snapshot> SnapshotService::find(const ContainerName& container,
                                              const std::string& name) {
    const auto view = containers_.get(container);
    if (!view) return fail(Error(view.error()).at("/container"));
    auto found = BERTH_TRY(snapshots_.find(view->row.id, name));
    if (!found) return fail(no_such(container, name));
    return *std::move(found);
}

Result<container::View> SnapshotService::restore(const ContainerName& container,
                                                 const std::string& name, bool restart,
                                                 const container::Waiting& waiting) {
    (void)BERTH_TRY(find(container, name));  // before anything is stopped for it
    return containers_.change_stopped(
        container, "restore", restart, waiting, [&](engine::Spec spec) -> Result<> {
            const auto snapshot = BERTH_TRY(snapshots_.find(spec.id, name));
            if (!snapshot) return fail(no_such(container, name));
            const engine::Spec before = spec;
            spec.root = BERTH_TRY(layers_.root_on(snapshot->layer_id, random_hex(root_name_bytes)));
            Rollback undo;
            undo.on_failure([this, before]() noexcept { (void)engine_.keep_root(before); });
            BERTH_TRY(engine_.prepare_root(spec));
            BERTH_TRY(fault::at("restore.record"));
            BERTH_TRY(database_.transact(
                [&] { return layers_.put(spec.id, snapshot->layer_id, spec.root.name); }));
            undo.keep();
            layers_.collect();
            if (const auto kept = engine_.keep_root(spec); !kept)
                log::warning(
                    "files from before a restore are left; the next start removes them",
                    {{"container", container.to_string()}, {"cause", kept.error().message}});
            return {};
        });
}

Result<> SnapshotService::remove(const ContainerName& container, const std::string& name,
                                 const container::Waiting& waiting) {
    return containers_.change(container, "delete a snapshot of", waiting,
                              [&](const engine::Spec& spec) -> Result<> {
                                  if (!BERTH_TRY(snapshots_.find(spec.id, name)))
                                      return fail(no_such(container, name));
                                  BERTH_TRY(fault::at("snapshot.remove"));
                                  BERTH_TRY(snapshots_.remove(spec.id, name));
                                  layers_.collect();
                                  return {};
                              });
}

Result<> SnapshotService::check_names(const ForkWish& wish) {
    std::set<std::string> seen;
    for (const auto& name : wish.names) {
        if (!seen.insert(name.to_string()).second) {
            return fail(make_error(ErrorCode::invalid_argument,
                                   fmt::format("'{}' is there twice", name.to_string()))
                            .at("/names"));
        }
        if (containers_.get(name)) {
            return fail(
                make_error(ErrorCode::already_exists,
                           fmt::format("there is a container '{}' already", name.to_string()))
                    .at("/names")
                    .next("choose other names, or look at that container")
                    .call("container_get", {{"name", name.to_string()}}));
        }
    }
    return {};
}

Result<> SnapshotService::rehearse_fork(const ForkWish& wish) {
    const auto like = BERTH_TRY(containers_.wish_like(wish.container));
    BERTH_TRY(containers_.check_nesting(like.nesting, "/container"));
    return check_names(wish);
}

Result<std::vector<container::View>> SnapshotService::fork(const ForkWish& wish,
                                                           const container::Waiting& waiting) {
    auto forks = fork_pinned(wish, waiting);
    layers_.collect();  // what was pinned until now and nobody stands on
    return forks;
}

Result<std::vector<container::View>> SnapshotService::fork_pinned(
    const ForkWish& wish, const container::Waiting& waiting) {
    BERTH_TRY(rehearse_fork(wish));
    const auto pin = layers_.new_layer();
    std::optional<container::CreateWish> like;
    BERTH_TRY(containers_.change(
        wish.container, "fork", waiting, [&](const engine::Spec& spec) -> Result<> {
            like = BERTH_TRY(containers_.wish_like(wish.container));
            const auto layer = BERTH_TRY(
                layers_.take(spec, like->origin->image_digest, pin.id(), waiting.cancelled));
            Rollback undo;
            undo.on_failure([this, id = layer.id]() noexcept { layers_.discard(id); });
            BERTH_TRY(fault::at("fork.record"));
            BERTH_TRY(layers_.insert(layer));
            undo.keep();
            return {};
        }));
    like->origin->layer_id = pin.id();
    like->start = wish.start;
    return make_forks(*like, wish, waiting);
}

Result<std::vector<container::View>> SnapshotService::make_forks(
    const container::CreateWish& like, const ForkWish& wish, const container::Waiting& waiting) {
    const auto count = wish.names.size();
    std::vector<std::optional<Result<container::View>>> made(count);
    std::atomic<std::size_t> next = 0, done = 0;
    std::atomic<bool> failed = false;
    {
        std::vector<std::jthread> workers;
        for (std::size_t worker = 0; worker < std::min(count, starts_at_once_max); ++worker) {
            workers.emplace_back([&] {
                for (auto at = next++; at < count && !failed; at = next++) {
                    auto one = like;
                    one.name = wish.names[at];
                    made[at] = containers_.create(one, {.cancelled = waiting.cancelled});
                    if (!*made[at]) failed = true;
                    ++done;
                    if (waiting.report)
                        waiting.report(static_cast<int>(done), static_cast<int>(count),
                                       "making forks");
                }
            });
        }
    }
    std::vector<container::View> views;
    std::optional<Error> error;
    for (auto& one : made) {
        if (one && *one) views.push_back(**std::move(one));
        if (one && !*one && !error) error = one->error();
    }
    if (!error) return views;
    for (const auto& view : views) {
        if (const auto name = ContainerName::parse(view.row.name))
            (void)containers_.remove(*name, true);  // what fails here, delete does later
    }
    if (error->field == "/name") error->field = "/names";
    return fail(std::move(*error).in("make every fork; none is left"));
}

}  // namespace berth::snapshot
