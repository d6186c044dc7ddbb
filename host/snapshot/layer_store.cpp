// SPDX-License-Identifier: Apache-2.0
#include "host/snapshot/layer_store.h"

#include "base/fault.h"
#include "base/files.h"
#include "base/log.h"
#include "base/rollback.h"
#include "tools-schema/contract/json.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace berth::snapshot {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t id_bytes = 8;
constexpr std::size_t container_id_characters = 10;
constexpr mode_t root_only = 0700;  // set-user-id programs lie here that no host user may run
constexpr std::string_view new_prefix = ".new-";
constexpr std::string_view held_prefix = ".held-";  // and the id of the container that is held

Result<Fd> open_directory(const fs::path& path) {
    Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return fail(system_error(fmt::format("open '{}'", path.string()), errno));
    return directory;
}

/// Makes everything written on that file system durable.
Result<> sync_file_system(const fs::path& directory) {
    const Fd descriptor = BERTH_TRY(open_directory(directory));
    if (::syncfs(descriptor.get()) == 0) return {};
    return fail(system_error(fmt::format("sync '{}'", directory.string()), errno));
}

Result<> sync_directory(const fs::path& directory) {
    const Fd descriptor = BERTH_TRY(open_directory(directory));
    if (::fsync(descriptor.get()) == 0) return {};
    return fail(system_error(fmt::format("sync '{}'", directory.string()), errno));
}

bool copies_by_reference(const fs::path& directory) {
    struct statfs system{};
    return ::statfs(directory.c_str(), &system) == 0 &&
           (system.f_type == BTRFS_SUPER_MAGIC || system.f_type == XFS_SUPER_MAGIC);
}

Result<> remove_files(const fs::path& tree) {
    BERTH_TRY(fault::at("layer.discard"));
    return remove_tree(tree);
}

}  // namespace

LayerStore::Pin::Pin(LayerStore& store, std::string id) : store_(store), id_(std::move(id)) {
    const std::lock_guard lock(store_.mutex_);
    store_.pinned_.insert(id_);
}

LayerStore::Pin::~Pin() {
    const std::lock_guard lock(store_.mutex_);
    store_.pinned_.erase(store_.pinned_.find(id_));
}

std::string LayerStore::random_layer_id() {
    return random_hex(id_bytes);
}

Result<engine::Root> LayerStore::root_on(std::string_view layer_id, std::string name) {
    engine::Root root{.name = std::move(name)};
    for (const auto& layer : BERTH_TRY(layers_.chain(layer_id)))
        root.layers.push_back({.tree = tree(layer.id), .uid_base = layer.uid_base});
    if (root.layers.empty())
        return fail(ErrorCode::not_found, "the files that this stands on are gone");
    return root;
}

Result<engine::Root> LayerStore::root_of(std::string_view container_id) {
    const auto found = BERTH_TRY(layers_.root_of(container_id));
    if (!found) return engine::Root{};
    return root_on(found->layer_id, found->name);
}

Result<> LayerStore::put(std::string_view container_id, std::string_view layer_id,
                         std::string name) {
    return layers_.set_root(container_id,
                            {.layer_id = std::string(layer_id), .name = std::move(name)});
}

Result<engine::Copied> LayerStore::copy(const engine::Spec& spec, const fs::path& to, bool hold,
                                        const std::stop_token& cancelled) {
    engine::CopyBounds bounds{.cancelled = cancelled};
    if (!hold) return engine_.copy_changes(spec, to, bounds);
    Rollback thaw;
    thaw.on_failure([this, id = spec.id]() noexcept {
        if (const auto thawed = engine_.thaw(id); !thawed)
            log::error("a container stands still after a copy; container_resume tries again",
                       {{"id", id}, {"cause", thawed.error().message}});
    });
    BERTH_TRY(engine_.hold_still(spec.id));
    bounds.deadline = std::chrono::steady_clock::now() + engine::copy_time_max;
    BERTH_TRY(fault::at("snapshot.copy"));
    auto copied = engine_.copy_changes(spec, to, bounds);
    if (const auto thawed = engine_.thaw(spec.id); !thawed)
        return fail(Error(thawed.error()).in("let the container go on after the copy"));
    thaw.keep();
    if (!copied && copied.error().code == ErrorCode::timed_out) {
        return fail(std::move(copied).error().next(
            "stop the container first: a stopped one may take as long as it needs"));
    }
    return copied;
}

Result<> LayerStore::check_reserve(const engine::Spec& spec) {
    struct statvfs system{};
    if (::statvfs(directory_.c_str(), &system) != 0)
        return fail(system_error("see how much of the host's disk is free", errno));
    const auto bytes = [&system](fsblkcnt_t blocks) {
        return static_cast<std::int64_t>(blocks * system.f_frsize);
    };
    const auto reserve =
        std::min(bytes(system.f_blocks) / 100 * reserve_percent, reserve_bytes_max);
    // A copy by reference takes nothing, but of a disk of its own there is none.
    const bool by_reference = spec.limits.disk_bytes == 0 && copies_by_reference(directory_);
    const auto wanted = by_reference ? 0 : BERTH_TRY(engine_.usage(spec)).disk.bytes;
    if (bytes(system.f_bavail) - wanted >= reserve) return {};
    return fail(
        make_error(ErrorCode::quota_exceeded,
                   fmt::format("a copy of what container '{}' has changed takes {} bytes; the "
                               "host's disk has {} free, of which {} are kept",
                               spec.hostname, wanted, bytes(system.f_bavail), reserve))
            .at("/container")
            .next("delete snapshots or containers that are not needed any more")
            .call("snapshot_list", Json::object()));
}

Result<store::Layer> LayerStore::take(const engine::Spec& spec, const std::string& image_digest,
                                      const std::string& id, const std::stop_token& cancelled) {
    if (spec.root.layers.size() >= engine::layers_max) {
        return fail(
            make_error(ErrorCode::quota_exceeded,
                       fmt::format("container '{}' stands on {} layers of snapshots already",
                                   spec.hostname, spec.root.layers.size()))
                .at("/container")
                .next("copy what you need into a container made of an image"));
    }
    BERTH_TRY(make_directories(directory_, root_only));
    BERTH_TRY(release(spec.id));
    BERTH_TRY(check_reserve(spec));
    const bool hold = engine_.running(spec.id) && !engine_.frozen(spec.id);
    const fs::path made = hold ? directory_ / fmt::format("{}{}-{}", held_prefix, spec.id, id)
                               : directory_ / fmt::format("{}{}", new_prefix, id);
    Rollback undo;
    undo.on_failure([this, made, of = spec.id]() noexcept { remove_half_made(made, of); });
    // The name says who is held, so it is there before, and a copy goes into a directory below it.
    BERTH_TRY(make_directories(made, root_only));
    if (hold) BERTH_TRY(sync_directory(directory_));
    BERTH_TRY(fault::at("snapshot.begin"));
    const auto copied = BERTH_TRY(copy(spec, made / "tree", hold, cancelled));
    BERTH_TRY(sync_file_system(directory_));
    BERTH_TRY(fault::at("snapshot.place"));
    if (::rename((made / "tree").c_str(), tree(id).c_str()) != 0)
        return fail(system_error("put the copy in its place", errno));
    undo.on_failure([this, id]() noexcept { discard(id); });
    (void)::rmdir(made.c_str());
    BERTH_TRY(fault::at("snapshot.placed"));
    BERTH_TRY(sync_directory(directory_));
    undo.keep();
    const auto under = BERTH_TRY(layers_.root_of(spec.id));
    return store::Layer{.id = id,
                        .parent = under ? under->layer_id : "",
                        .image_digest = image_digest,
                        .uid_base = spec.uid_base,
                        .bytes = copied.bytes,
                        .exact = copied.exact,
                        .created_at = to_rfc3339(clock_.wall())};
}

/// Of a container that stands still the name stays, so that release() or the next start of berthd
/// lets it go on.
void LayerStore::remove_half_made(const fs::path& made, std::string_view container_id) noexcept {
    (void)remove_tree(engine_.holds().contains(container_id) ? made / "tree" : made);
}

Result<> LayerStore::release(std::string_view container_id) {
    if (!engine_.holds().contains(container_id)) return {};
    BERTH_TRY(engine_.thaw(container_id));
    const auto mark = fmt::format("{}{}-", held_prefix, container_id);
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(directory_, none)) {
        if (entry.path().filename().native().starts_with(mark))
            BERTH_TRY(remove_tree(entry.path()));
    }
    return {};
}

Result<fs::path> LayerStore::make_stage() {
    auto stage = directory_ / fmt::format("{}{}", new_prefix, random_layer_id());
    BERTH_TRY(make_directories(directory_, root_only));
    BERTH_TRY(make_directories(stage, root_only));
    return stage;
}

Result<> LayerStore::place(const fs::path& from, const std::string& id) {
    BERTH_TRY(sync_file_system(directory_));
    if (::rename(from.c_str(), tree(id).c_str()) != 0)
        return fail(system_error("put a layer in its place", errno));
    return sync_directory(directory_);
}

void LayerStore::discard_unknown(const std::vector<std::string>& ids) noexcept {
    const auto known = layers_.ids();
    if (!known) return;  // the next start of berthd finds them
    for (const auto& id : ids) {
        if (!known->contains(id)) discard(id);
    }
}

void LayerStore::discard(const std::string& id) noexcept {
    if (const auto removed = remove_files(tree(id)); !removed)
        log::warning("a layer could not be removed; the next start of berthd does",
                     {{"layer", id}, {"cause", removed.error().message}});
}

void LayerStore::collect() noexcept {
    // Held all the while: a layer is pinned before its row is there, so none comes in between.
    std::unique_lock lock(mutex_);
    const auto removed = layers_.remove_unused(pinned_);
    lock.unlock();
    if (!removed) {
        log::warning("layers could not be collected", {{"cause", removed.error().message}});
        return;
    }
    for (const auto& id : *removed) discard(id);
}

Result<> LayerStore::remove_unknown() {
    const auto known = BERTH_TRY(layers_.ids());
    std::vector<fs::path> unknown;
    std::error_code problem;
    for (fs::directory_iterator entry(directory_, problem), end; !problem && entry != end;
         entry.increment(problem)) {
        const std::string name = entry->path().filename();
        if (known.contains(name)) continue;
        if (name.starts_with(held_prefix)) {
            const auto held = name.substr(held_prefix.size(), container_id_characters);
            log::info("a container that was held still for a copy goes on", {{"id", held}});
            BERTH_TRY(engine_.thaw(held));
        }
        unknown.push_back(entry->path());
    }
    if (problem && problem != std::errc::no_such_file_or_directory)
        return fail(system_error(fmt::format("list '{}'", directory_.string()), problem.value()));
    for (const auto& path : unknown) BERTH_TRY(remove_tree(path));
    return {};
}

Result<> LayerStore::recover() {
    BERTH_TRY(remove_unknown());
    for (const auto& row : BERTH_TRY(containers_.list())) {
        if (row.phase != store::Phase::ready) continue;
        engine::Spec spec;
        spec.id = row.id;
        spec.root = BERTH_TRY(root_of(row.id));
        BERTH_TRY(engine_.keep_root(spec));
    }
    return {};
}

Result<> LayerStore::tear_down() {
    collect();
    BERTH_TRY(remove_unknown());
    (void)::rmdir(directory_.c_str());
    return {};
}

}  // namespace berth::snapshot
