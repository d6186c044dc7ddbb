// SPDX-License-Identifier: Apache-2.0
#include "host/tools/host_tools.h"
#include "host/tools/shapes.h"
#include "tools/tools.h"

#include <fmt/format.h>

namespace berth::tools {
namespace {

using container::ContainerService;
using snapshot::SnapshotService;

Result<Snapshot> to_snapshot(const store::Snapshot& row) {
    auto container = BERTH_TRY(ContainerName::parse(row.container));
    auto name = BERTH_TRY(SnapshotName::parse(row.name));
    return Snapshot{.container = std::move(container),
                    .name = std::move(name),
                    .description = row.description,
                    .created_at = row.created_at,
                    .bytes = row.bytes,
                    .exact = row.exact};
}

snapshot::SnapshotWish wish_of(const SnapshotCreate::Input& in) {
    snapshot::SnapshotWish wish{.container = in.container,
                                .description = in.description.value_or("")};
    if (in.name) wish.name = in.name->to_string();
    return wish;
}

/// The names of the copies: those given, or as many as wanted by number.
Result<snapshot::ForkWish> wish_of(const ContainerFork::Input& in) {
    snapshot::ForkWish wish{.container = in.container, .names = in.names, .start = in.start};
    if (in.names.empty() && !in.count) {
        return fail(make_error(ErrorCode::invalid_argument, "there is neither names nor count")
                        .at("/names")
                        .next("pass names, or count for names by number"));
    }
    if (!in.names.empty() && in.count) {
        return fail(make_error(ErrorCode::invalid_argument, "count is for calls without names")
                        .at("/count")
                        .next("pass names or count, not both"));
    }
    const auto prefix = in.prefix.value_or(in.container).to_string();
    for (std::int64_t number = 1; number <= in.count.value_or(0); ++number) {
        auto name = ContainerName::parse(fmt::format("{}-{}", prefix, number));
        if (!name) {
            return fail(Error(name.error()).at("/prefix").next("choose a shorter prefix"));
        }
        wish.names.push_back(*std::move(name));
    }
    return wish;
}

Result<SnapshotList::Output> list(SnapshotService& snapshots, const SnapshotList::Input& in) {
    SnapshotList::Output out{.snapshots = {}, .total = 0};
    for (const auto& row : BERTH_TRY(snapshots.list(in.container))) {
        ++out.total;
        if (static_cast<std::int64_t>(out.snapshots.size()) < in.limit)
            out.snapshots.push_back(BERTH_TRY(to_snapshot(row)));
    }
    return out;
}

Result<ContainerFork::Output> fork(SnapshotService& snapshots, const ContainerFork::Input& in,
                                   const Call& call) {
    ContainerFork::Output out{.containers = {}};
    for (const auto& view : BERTH_TRY(snapshots.fork(BERTH_TRY(wish_of(in)), to_waiting(call))))
        out.containers.push_back(to_summary(view));
    return out;
}

Result<Preview> preview_fork(SnapshotService& snapshots, ContainerService& containers,
                             const ContainerFork::Input& in) {
    const auto wish = BERTH_TRY(wish_of(in));
    BERTH_TRY(snapshots.rehearse_fork(wish));
    const auto target = BERTH_TRY(containers.get(in.container));
    const auto count = wish.names.size();
    return Preview{
        .would = fmt::format("make {} cop{} of container '{}'{}", count, count == 1 ? "y" : "ies",
                             in.container.to_string(),
                             in.start ? count == 1 ? ", and start it" : ", and start them" : ""),
        .target = to_target(target)};
}

Result<Preview> preview_restore(SnapshotService& snapshots, ContainerService& containers,
                                const SnapshotRestore::Input& in) {
    const auto row = BERTH_TRY(snapshots.find(in.container, in.snapshot.to_string()));
    const auto view = BERTH_TRY(containers.get(in.container));
    const bool running = view.state == container::State::running;
    if (running && !in.restart) {
        return fail(
            make_error(ErrorCode::busy, fmt::format("container '{}' is running", view.row.name))
                .at("/container")
                .next("pass restart: true, or stop it first")
                .call("container_stop", {{"name", view.row.name}}));
    }
    return Preview{
        .would = fmt::format("put the files of container '{}' back to snapshot '{}' of {}{}",
                             view.row.name, row.name, row.created_at,
                             running ? ", stopping it for that and starting it again" : ""),
        .target = to_target(view)};
}

/// An error as the call itself would say it, which knows by then whose container it is.
template <class T>
Result<T> as_in_call(Result<T> result, std::string_view doing, const container::View& view) {
    if (result) return result;
    return fail(
        std::move(result).error().in(fmt::format("{} container '{}'", doing, view.row.name)));
}

void bind_changes(ToolRegistry& registry, SnapshotService& snapshots,
                  ContainerService& containers) {
    registry.bind<ContainerFork>(
        [&snapshots](const ContainerFork::Input& in, const Call& call) {
            return fork(snapshots, in, call);
        },
        [&snapshots, &containers](const ContainerFork::Input& in, const Call&) {
            return preview_fork(snapshots, containers, in);
        });
    registry.bind<SnapshotRestore>(
        [&snapshots](const SnapshotRestore::Input& in,
                     const Call& call) -> Result<ContainerSummary> {
            return to_summary(BERTH_TRY(snapshots.restore(in.container, in.snapshot.to_string(),
                                                          in.restart, to_waiting(call))));
        },
        [&snapshots, &containers](const SnapshotRestore::Input& in, const Call&) {
            return preview_restore(snapshots, containers, in);
        });
}

}  // namespace

void bind_snapshot_tools(ToolRegistry& registry, SnapshotService& snapshots,
                         ContainerService& containers) {
    bind_changes(registry, snapshots, containers);
    registry.bind<SnapshotCreate>(
        [&snapshots](const SnapshotCreate::Input& in, const Call& call) -> Result<Snapshot> {
            return to_snapshot(BERTH_TRY(snapshots.create(wish_of(in), to_waiting(call))));
        },
        [&snapshots, &containers](const SnapshotCreate::Input& in, const Call&) -> Result<Preview> {
            const auto view = BERTH_TRY(containers.get(in.container));
            const auto name = BERTH_TRY(
                as_in_call(snapshots.rehearse_create(wish_of(in)), "take a snapshot of", view));
            return Preview{.would = fmt::format("take a snapshot '{}' of container '{}'", name,
                                                in.container.to_string()),
                           .target = to_target(view)};
        });
    registry.bind<SnapshotList>(
        [&snapshots](const SnapshotList::Input& in, const Call&) { return list(snapshots, in); });
    registry.bind<SnapshotDelete>(
        [&snapshots](const SnapshotDelete::Input& in,
                     const Call& call) -> Result<SnapshotDelete::Output> {
            BERTH_TRY(snapshots.remove(in.container, in.snapshot.to_string(), to_waiting(call)));
            return SnapshotDelete::Output{
                .container = in.container, .name = in.snapshot, .deleted = true};
        },
        [&snapshots, &containers](const SnapshotDelete::Input& in, const Call&) -> Result<Preview> {
            const auto view = BERTH_TRY(containers.get(in.container));
            const auto row =
                BERTH_TRY(as_in_call(snapshots.find(in.container, in.snapshot.to_string()),
                                     "delete a snapshot of", view));
            const auto target = BERTH_TRY(to_snapshot(row));
            return Preview{.would = fmt::format("delete snapshot '{}' of container '{}', taken {}",
                                                row.name, row.container, row.created_at),
                           .target = encode(target)};
        });
}

}  // namespace berth::tools
