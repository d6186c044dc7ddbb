// SPDX-License-Identifier: Apache-2.0
// After a start of berthd, whatever ended the last one: the store says what should be, the machine
// says what is, and this makes them agree.
#include "base/log.h"
#include "host/container/container_service.h"

#include <fmt/format.h>

#include <set>

namespace berth::container {

Result<> ContainerService::reconcile() {
    std::set<std::string> kept;
    for (const auto& row : BERTH_TRY(containers_.list())) {
        if (row.phase == store::Phase::ready) {
            kept.insert(row.id);
            continue;
        }
        log::info("reconcile: a container was left half-way and is removed",
                  {{"container", row.name}, {"id", row.id}});
        BERTH_TRY(rooms_.engine.destroy(row.id));
        rooms_.network.release(row.ipv4);
        BERTH_TRY(containers_.remove(row.id));
    }
    for (const auto& id : BERTH_TRY(rooms_.engine.leftovers())) {
        if (kept.contains(id)) continue;
        log::info("reconcile: remains without a container are removed", {{"id", id}});
        BERTH_TRY(rooms_.engine.destroy(id));
    }
    rooms_.layers.collect();
    BERTH_TRY(apply_forwards());
    for (const auto& row : BERTH_TRY(containers_.list())) {
        if (!rooms_.engine.running(row.id)) continue;  // the Keeper starts those that are wanted
        BERTH_TRY(publish_keys(row));
        // An end between two steps of a start or of a change has left others, or none.
        if (auto held = rooms_.engine.limit(row.id, {}, limits_of(row)); !held) {
            log::warning("reconcile: a container's limits could not be set again",
                         {{"container", row.name}, {"cause", held.error().message}});
        }
        if (rooms_.engine.frozen(row.id)) continue;
        if (auto opened = rooms_.logins.open(row.id, row.ssh_port); !opened) {
            log::warning("reconcile: a container has no SSH entry",
                         {{"container", row.name}, {"cause", opened.error().message}});
        }
        log::info("reconcile: a running container was found again",
                  {{"container", row.name}, {"id", row.id}});
    }
    return {};
}

}  // namespace berth::container
