// SPDX-License-Identifier: Apache-2.0
// Processes that were killed for want of memory, and what each container uses at a glance.
#include "base/log.h"
#include "host/container/container_service.h"
#include "host/warning/kinds.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::container {
namespace {

using namespace std::chrono_literals;

// A container can have the kernel kill as often as it likes; what is told of it is written down.
constexpr auto telling_pause = 1s;

}  // namespace

void ContainerService::note_oom_kill(const OomKill& kill) {
    note_past_oom_kill(kill, 0ms, false);
}

void ContainerService::note_past_oom_kill(const OomKill& kill, std::chrono::milliseconds ago,
                                          bool was_told) {
    const auto rows = containers_.list();
    if (!rows) return;
    const auto row = std::ranges::find_if(*rows, [&kill](const store::Container& one) {
        return kill.uid >= one.uid_base && kill.uid < one.uid_base + engine::ids_per_container;
    });
    if (row == rows->end()) return;
    const auto at = rooms_.clock.wall() - ago;
    // Its uids may have been another's before.
    if (ago > 0ms && to_rfc3339(at) < row->created_at) return;
    {
        const std::lock_guard lock(oom_mutex_);
        auto& last = oom_kills_[row->id];
        const bool told_just_now = at - last.at < telling_pause && last.process == kill.process;
        last = {.process = kill.process, .at = at};
        if (told_just_now || was_told) return;
    }
    log::warning("a process was killed for want of memory",
                 {{"container", row->name}, {"id", row->id}, {"process", kill.process}});
    constexpr std::int64_t mebibyte = 1 << 20;
    rooms_.warnings.raise(
        {.type = warning::out_of_memory,
         .entity = warning::container_entity(row->name),
         .message =
             kill.of_own_limit
                 ? fmt::format("process '{}' of container '{}' was killed: it has {} MiB of memory",
                               kill.process, row->name, row->limits.memory_bytes / mebibyte)
                 : fmt::format("process '{}' of container '{}' was killed: the host has no more "
                               "memory",
                               kill.process, row->name),
         .next = kill.of_own_limit
                     ? "give it more with container_update: memory_bytes, or have it use less"
                     : "give containers less memory, or the host more"});
    rooms_.events.container(row->name, "out_of_memory");
}

std::optional<LastOomKill> ContainerService::last_oom_kill(std::string_view id) {
    const std::lock_guard lock(oom_mutex_);
    const auto found = oom_kills_.find(id);
    return found == oom_kills_.end() ? std::nullopt : std::optional(found->second);
}

Result<std::vector<Sample>> ContainerService::samples() {
    std::vector<Sample> samples;
    for (const auto& row : BERTH_TRY(containers_.list())) {
        if (row.phase != store::Phase::ready) continue;
        samples.push_back({.name = row.name,
                           .id = row.id,
                           .limits = limits_of(row),
                           .use = rooms_.engine.running_use(row.id),
                           .disk = row.limits.disk_bytes > 0 ? rooms_.engine.own_disk_use(row.id)
                                                             : std::nullopt});
    }
    return samples;
}

}  // namespace berth::container
