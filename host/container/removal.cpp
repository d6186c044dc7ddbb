// SPDX-License-Identifier: Apache-2.0
// How a container goes: at once whatever others may want of it (its name, its ports, its devices),
// and later what the kernel and the disk take longer for.
#include "base/fault.h"
#include "host/container/container_service.h"
#include "host/warning/kinds.h"

namespace berth::container {

/// Until it is retired its row holds everything, and whatever fails before, the same call can be
/// made again.
Result<> ContainerService::take_down(const store::Container& row) {
    BERTH_TRY(containers_.set_phase(row.id, store::Phase::deleting));
    BERTH_TRY(fault::at("container.delete"));
    close_entries(row);
    rooms_.agents.forget(row.id);
    BERTH_TRY(rooms_.engine.kill(row.id));
    // Its address may be somebody else's next.
    if (!BERTH_TRY(ports_.list_of(row.id)).empty()) BERTH_TRY(apply_forwards());
    BERTH_TRY(fault::at("container.retire"));
    BERTH_TRY(rooms_.database.transact_soon([&] { return containers_.retire(row.id); }));
    uses_.forget(row.id);
    wake_failures_.forget(row.id);
    {
        const std::lock_guard lock(oom_mutex_);
        oom_kills_.erase(row.id);
    }
    auto gone = row;
    gone.name = store::Containers::name_of_gone(row.id);
    remains_.add(std::move(gone));
    if (store::Standby::is_name(row.name)) return {};  // nobody has heard of it
    rooms_.warnings.resolve_all(warning::container_entity(row.name));
    rooms_.events.container(row.name, "deleted");
    return {};
}

void ContainerService::discard(const store::Container& row) noexcept {
    if (!take_down(row)) remains_.add(row);
}

Result<> ContainerService::remove_remains(const store::Container& row) {
    const auto held = locks_.hold(row.name);
    const auto now = BERTH_TRY(containers_.find_by_id(row.id));
    if (!now) return {};
    if (!store::Containers::is_gone(now->name))
        return take_down(*now);            // which could not be undone
    if (now->name != row.name) return {};  // somebody has deleted it meanwhile
    BERTH_TRY(clear_away(row));
    rooms_.layers.collect();
    return {};
}

Result<> ContainerService::clear_away(const store::Container& row) {
    BERTH_TRY(rooms_.engine.destroy(row.id));
    rooms_.network.release(row.ipv4);
    BERTH_TRY(fault::at("container.remove"));
    return containers_.remove(row.id);
}

Result<> ContainerService::try_to_remove(const store::Container& row, int attempt) {
    const auto entity = warning::remains_entity(row.id);
    auto removed = remove_remains(row);
    if (!removed) {
        warning::tell_not_repaired(rooms_.warnings, warning::Severity::error, entity,
                                   "what a deleted container has left cannot be removed",
                                   removed.error());
    } else if (attempt > 0) {
        rooms_.warnings.resolve(warning::reconcile_failed, entity);
    }
    return removed;
}

}  // namespace berth::container
