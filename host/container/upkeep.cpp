// SPDX-License-Identifier: Apache-2.0
// What happens to containers without anybody's call: they end by themselves, are started again, are
// stopped when nobody uses them, and go when their time is over. The Keeper decides when; here is
// what.
#include "base/fault.h"
#include "base/log.h"
#include "host/container/container_service.h"
#include "host/container/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

namespace berth::container {
namespace {

constexpr int idle_stop_timeout_seconds = 30;
// Each waits in a thread of its own, so that each is asked at once; a bridge takes no more.
constexpr std::size_t stops_at_once_max = 1023;

std::string word(engine::Ending ending) {
    switch (ending) {
        case engine::Ending::clean:
            return "clean";
        case engine::Ending::failed:
            return "failed";
        case engine::Ending::rebooted:
            return "rebooted";
        case engine::Ending::unknown:
            return "unknown";
    }
    std::unreachable();
}

/// Whether the container's policy wants it back. An end of which nothing is known counts as a
/// failure, so that no failure is passed over.
bool comes_back(store::Restart restart, engine::Ending ending) {
    if (ending == engine::Ending::rebooted) return true;
    if (restart == store::Restart::on_failure) return ending != engine::Ending::clean;
    return restart == store::Restart::always;
}

}  // namespace

std::int64_t ContainerService::now_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               rooms_.clock.wall().time_since_epoch())
        .count();
}

Result<std::optional<store::Container>> ContainerService::row(const std::string& name) {
    return containers_.find_by_name(name);
}

Result<std::optional<store::Container>> ContainerService::same(const store::Container& seen) {
    auto now = BERTH_TRY(containers_.find_by_name(seen.name));
    if (now && (now->id != seen.id || now->phase != store::Phase::ready)) now.reset();
    return now;
}

Result<> ContainerService::make_usable(const ContainerName& name,
                                       const std::stop_token& cancelled) {
    const auto row = find_ready(name);
    if (!row) return fail(Error(row.error()).at("/container"));
    const bool running = rooms_.engine.running(row->id);
    // One that is being stopped because nobody used it still runs.
    if (row->life.wake && !(running && row->wanted_running)) return wake(*row, cancelled);
    if (!running) return fail(stopped_error(*row, "/container"));
    if (rooms_.engine.frozen(row->id)) return fail(paused_error(*row, "/container"));
    return {};
}

Result<> ContainerService::wake(const store::Container& seen, const std::stop_token& cancelled) {
    const auto begun = rooms_.clock.steady();
    const auto held = locks_.hold(seen.name, cancelled);
    if (!held) return fail(make_error(ErrorCode::unavailable, "was cancelled").next("call again"));
    const auto row = BERTH_TRY(same(seen));
    if (!row) return fail(stopped_error(seen, "/container"));
    if (rooms_.engine.running(row->id)) return {};
    if (!row->life.wake) return fail(stopped_error(*row, "/container"));
    if (auto failure = wake_failures_.since(row->id, begun)) return fail(*std::move(failure));
    const auto started = start_held(*row, {.cancelled = cancelled});
    wake_failures_.note(row->id, rooms_.clock.steady(), started);
    if (!started) return fail(started.error());
    log::info("a container was woken by use", {{"container", row->name}, {"id", row->id}});
    rooms_.events.container(row->name, "started");
    return {};
}

void ContainerService::await_use(const store::Container& row) {
    if (!row.life.wake) return;
    const auto awaited = rooms_.logins.await(
        row.id, row.ssh_port,
        [this, row](const std::stop_token& cancelled) { return wake(row, cancelled); });
    if (!awaited)
        log::warning("a login will not wake a container",
                     {{"container", row.name}, {"cause", awaited.error().message}});
}

Uses::Held ContainerService::use(const store::Container& row) {
    note_use(row);
    return {uses_, row.id, [this] { return rooms_.clock.wall(); }};
}

void ContainerService::note_use(const store::Container& row) {
    const auto now = rooms_.clock.wall();
    uses_.touch(row.id, now);
    const auto written = schedule::to_time(row.life.used_at);
    if (row.life.idle_stop_seconds == 0 || now - written < schedule::use_grain(row)) return;
    (void)containers_.set_used_at(row.id, now_ms());  // then a restart finds an older one
}

std::chrono::system_clock::time_point ContainerService::last_use(const store::Container& row) {
    const auto now = rooms_.clock.wall();
    const auto logins = rooms_.logins.use(row.id, row.ssh_port);
    const auto seen = uses_.of(row.id);
    if (logins.open || (seen && seen->now > 0)) {
        note_use(row);
        return now;
    }
    // What was written down is older than the truth by less than the grain.
    auto last = std::min(now, schedule::to_time(row.life.used_at) + schedule::use_grain(row));
    if (seen) last = seen->last;
    if (logins.last) last = std::max(last, *logins.last);
    return last;
}

Result<bool> ContainerService::note_end(const store::Container& seen, engine::Ending ending) {
    const auto held = locks_.hold(seen.name);
    const auto row = BERTH_TRY(same(seen));
    if (!row || !row->wanted_running || rooms_.engine.running(row->id)) return false;
    // A berthd that is started in between knows no more than that it has ended.
    if (ending == engine::Ending::rebooted) BERTH_TRY(containers_.set_up(row->id, false));
    close_entries(*row);
    rooms_.agents.forget(row->id);
    BERTH_TRY(rooms_.engine.stop(row->id, 0));  // what its end has left
    if (row->restarting) return true;           // somebody had it end, and is not there any more
    const bool again = comes_back(row->life.restart, ending);
    const bool counts = again && ending != engine::Ending::rebooted;
    BERTH_TRY(fault::at("container.ended"));
    BERTH_TRY(containers_.record_end(row->id,
                                     {.at = now_ms(),
                                      .how = word(ending),
                                      .restarts = row->last_end.restarts + (counts ? 1 : 0)},
                                     again));
    log::info("a container ended by itself", {{"container", row->name},
                                              {"id", row->id},
                                              {"how", word(ending)},
                                              {"again", again ? "yes" : "no"}});
    if (!again) await_use(*row);
    rooms_.events.container(row->name, "ended");
    return again;
}

Result<> ContainerService::start_again(const store::Container& seen,
                                       const std::stop_token& cancelled) {
    const auto held = locks_.hold(seen.name, cancelled);
    if (!held) return {};
    const auto row = BERTH_TRY(same(seen));
    if (!row || !row->wanted_running || rooms_.engine.running(row->id)) return {};
    BERTH_TRY(start_held(*row, {.cancelled = cancelled}));
    rooms_.events.container(row->name, "started");
    return {};
}

Result<> ContainerService::stop_unused(const store::Container& seen) {
    const auto held = locks_.hold(seen.name);
    const auto row = BERTH_TRY(same(seen));
    if (!row) return {};
    if (row->restarting && rooms_.engine.running(row->id)) return stop_for_restart(*row);
    // One that was to be stopped may have ended since it was seen; what that left is cleared all
    // the same, as nobody else will.
    if (row->wanted_running && (!rooms_.engine.running(row->id) ||
                                !schedule::is_idle(*row, last_use(*row), rooms_.clock.wall())))
        return {};
    log::info(row->wanted_running ? "a container that nobody uses is stopped"
                                  : "a container that is to be stopped is stopped",
              {{"container", row->name}, {"id", row->id}});
    return stop_held(*row, idle_stop_timeout_seconds);
}

Result<> ContainerService::remove_due(const store::Container& seen) {
    const auto held = locks_.hold(seen.name);
    const auto row = BERTH_TRY(same(seen));
    if (!row || !schedule::is_over(*row, rooms_.engine.running(row->id), rooms_.clock.wall()))
        return {};
    log::info("a container's time is over", {{"container", row->name}, {"id", row->id}});
    auto removed = take_down(*row);
    if (!removed) remains_.add(*row);
    return removed;
}

void ContainerService::stop_all(std::chrono::seconds time_max) {
    if (const auto rows = containers_.all()) {
        for (const auto& row : *rows) close_entries(row);
    }
    container::stop_all(rooms_.engine, containers_, time_max);
}

void stop_all(engine::ContainerEngine& engine, store::Containers& containers,
              std::chrono::seconds time_max) {
    const auto found = containers.all();
    const auto forgotten = found ? containers.set_none_up() : std::unexpected(found.error());
    if (!forgotten)
        return log::error("containers cannot be stopped", {{"cause", forgotten.error().message}});
    const auto& rows = *found;
    const auto deadline = std::chrono::steady_clock::now() + time_max;
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (auto at = next++; at < rows.size(); at = next++) {
            const auto& row = rows[at];
            if (!engine.running(row.id)) continue;
            const auto left = std::chrono::ceil<std::chrono::seconds>(
                deadline - std::chrono::steady_clock::now());
            const int seconds = static_cast<int>(std::max<std::int64_t>(0, left.count()));
            if (const auto stopped = engine.stop(row.id, seconds); !stopped)
                log::warning("a container could not be stopped",
                             {{"container", row.name}, {"cause", stopped.error().message}});
        }
    };
    std::vector<std::jthread> threads;
    for (std::size_t count = std::min(rows.size(), stops_at_once_max); count > 0; --count)
        threads.emplace_back(work);
}

Result<> forget_lost(engine::ContainerEngine& engine, store::Containers& containers) {
    for (const auto& row : BERTH_TRY(containers.list())) {
        if (row.up && !engine.running(row.id) && !engine.mounted(row.id))
            BERTH_TRY(containers.set_up(row.id, false));
    }
    return {};
}

}  // namespace berth::container
