// SPDX-License-Identifier: Apache-2.0
// After a start of berthd, whatever ended the last one: the store says what should be, the machine
// says what is, and this makes them agree. What was amiss is told as warnings.
#include "base/log.h"
#include "host/container/container_service.h"
#include "host/warning/kinds.h"

#include <fmt/format.h>

#include <set>

namespace berth::container {

using warning::Severity;

Result<> ContainerService::reconcile() {
    std::set<std::string> kept;
    std::set<std::string> entities;
    const auto claimed = BERTH_TRY(standby_.claimed());
    for (const auto& row : BERTH_TRY(containers_.all())) {
        kept.insert(row.id);
        entities.insert(warning::container_entity(row.name));
        if (row.phase == store::Phase::ready) continue;
        // Its caller may have heard that it is there (standby.cpp). The Keeper starts it.
        if (claimed.contains(row.id) && !rooms_.engine.running(row.id)) {
            BERTH_TRY(rooms_.database.transact([&]() -> Result<> {
                BERTH_TRY(settle_claimed(row.id));
                return containers_.set_up(row.id, false);  // it has not ended: the host has
            }));
        } else {
            end_half_way(row);
        }
    }
    for (const auto& entity : rooms_.warnings.entities()) {
        const bool gone =
            entity.starts_with(warning::container_entities) && !entities.contains(entity);
        if (gone) rooms_.warnings.resolve_all(entity);
    }
    for (const auto& id : BERTH_TRY(rooms_.engine.leftovers())) {
        if (kept.contains(id)) continue;
        const auto entity = warning::remains_entity(id);
        if (const auto removed = rooms_.engine.destroy(id); !removed) {
            // No row holds its uids and its address, so the next container might get them.
            warning::tell_not_repaired(
                rooms_.warnings, Severity::critical, entity,
                fmt::format("remains of '{}' belong to no container and cannot be removed", id),
                removed.error());
            return removed;
        }
        warning::tell_repaired(rooms_.warnings, entity,
                               fmt::format("remains of '{}' belonged to no container", id));
    }
    rooms_.layers.collect();
    (void)keep_forwards();  // what could not be done is a warning, and tried again
    for (const auto& row : BERTH_TRY(containers_.list())) {
        // The Keeper starts those that are wanted and do not run, and stops the others.
        if (row.phase == store::Phase::ready && !row.wanted_running)
            await_use(row);
        else if (rooms_.engine.running(row.id))
            find_again(row);
        else if (row.up)
            find_ended(row);
    }
    return {};
}

void ContainerService::end_half_way(const store::Container& row) {
    const auto removed = clear_away(row);
    // Of one that waited, or was deleted already, nobody has heard, or hears any more.
    const bool known = !store::Standby::is_name(row.name) && !store::Containers::is_gone(row.name);
    const auto entity =
        known ? warning::container_entity(row.name) : warning::remains_entity(row.id);
    if (removed && known) {
        warning::tell_repaired(
            rooms_.warnings, entity,
            fmt::format("container '{}' ({}) was left half-way and was removed", row.name, row.id));
    }
    if (removed) return;
    // Its row stays, and with it its uids and its address.
    warning::tell_not_repaired(
        rooms_.warnings, Severity::error, entity,
        fmt::format("container '{}' was left half-way and cannot be removed", row.name),
        removed.error());
    remains_.add(row);
}

/// How it has ended while berthd did not run nobody knows.
void ContainerService::find_ended(const store::Container& row) {
    const auto noted = note_end(row, engine::Ending::unknown);
    if (noted) return;
    warning::tell_not_repaired(
        rooms_.warnings, warning::Severity::error, warning::container_entity(row.name),
        fmt::format("container '{}' has ended, which could not be noted", row.name), noted.error());
}

void ContainerService::find_again(const store::Container& row) {
    std::string_view what = "has no SSH entry";
    auto found = publish_keys(row);
    // An end in the middle of an update has left it other variables, and an older berth none.
    if (found) found = publish_environment(row);
    if (found) found = open_guest_socket(row);
    if (found && !rooms_.engine.frozen(row.id)) found = rooms_.logins.open(row.id, row.ssh_port);
    // An end between two steps of a start or of a change has left other limits, or none.
    if (auto held = rooms_.engine.limit(row.id, {}, limits_of(row)); !held) {
        what = "does not have all its limits";
        found = std::move(held);
    }
    // Nor was a GPU always given that is the container's already, or taken, and the kernel may have
    // numbered them anew meanwhile.
    if (auto given = renew(row, true); !given) {
        what = "does not have the devices of its GPUs";
        found = std::move(given);
    }
    // It was to be stopped by a berthd that ended first, or its start was not written down.
    if (auto noted = row.up ? Result<>() : containers_.set_up(row.id, true); !noted) {
        what = "would be started again if it ended while berthd does not run";
        found = std::move(noted);
    }
    const auto entity = warning::container_entity(row.name);
    if (found) {
        rooms_.warnings.resolve(warning::reconcile_failed, entity);
    } else {
        warning::tell_not_repaired(rooms_.warnings, Severity::error, entity,
                                   fmt::format("container '{}' {}", row.name, what), found.error());
    }
    log::info("reconcile: a running container was found again",
              {{"container", row.name}, {"id", row.id}});
}

}  // namespace berth::container
