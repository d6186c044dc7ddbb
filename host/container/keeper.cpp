// SPDX-License-Identifier: Apache-2.0
#include "host/container/keeper.h"

#include "base/log.h"
#include "host/warning/kinds.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

namespace berth::container {
namespace {

using namespace std::chrono_literals;

constexpr auto retry_after = 10s;  // for what failed and is no start
constexpr auto wait_max = 1h;      // whatever the clock does, it is looked at again then

bool readable(const Fd& fd) {
    pollfd polled{fd.get(), POLLIN, 0};
    return ::poll(&polled, 1, 0) > 0;
}

void tell_not_started(warning::Warnings& warnings, const store::Container& row,
                      const Error& error) {
    warnings.raise({.type = warning::container_not_started,
                    .severity = warning::Severity::error,
                    .entity = warning::container_entity(row.name),
                    .message = fmt::format("container '{}' is to run and could not be started: {}",
                                           row.name, error.message),
                    .next = fmt::format("{}; it is tried again, or call container_stop",
                                        error.hint.empty() ? "remove the cause" : error.hint)});
}

}  // namespace

Keeper::Keeper(ContainerService& containers, engine::ContainerEngine& engine, const Clock& clock,
               EventSource& events, warning::Warnings& warnings, std::size_t workers)
    : containers_(containers),
      engine_(engine),
      clock_(clock),
      warnings_(warnings),
      inline_(workers == 0),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      subscription_(events.subscribe([this](const Json& event) { hear(event); })),
      workers_(workers) {}

Keeper::~Keeper() {
    stop();
}

void Keeper::stop() {
    subscription_.reset();
    for (auto& thread : threads_) thread.request_stop();
    wake();
    threads_.clear();
}

void Keeper::start() {
    for (std::size_t count = 0; count < workers_; ++count)
        threads_.emplace_back([this](const std::stop_token& stopping) { serve(stopping); });
    (void)look();  // before anybody is answered, so that no end falls between
    threads_.emplace_back([this](const std::stop_token& stopping) { run(stopping); });
}

void Keeper::wake() const {
    (void)::eventfd_write(wake_.get(), 1);
}

void Keeper::hear(const Json& event) {
    const auto kind = event.value("kind", "");
    if (kind != "container" && kind != "missed") return;
    {
        const std::lock_guard lock(inbox_mutex_);
        if (kind == "missed") all_changed_ = true;
        if (kind == "container") changed_.insert(event.value("name", ""));
    }
    wake();
}

void Keeper::run(const std::stop_token& stopping) {
    while (!stopping.stop_requested()) {
        const auto wait = std::min<std::chrono::milliseconds>(look(), wait_max);
        std::vector<pollfd> polled{{wake_.get(), POLLIN, 0}};
        for (const auto& [name, kept] : kept_) {
            if (kept.watch && !kept.at_work) polled.push_back({kept.watch.get(), POLLIN, 0});
        }
        (void)::poll(polled.data(), polled.size(), static_cast<int>(wait.count()));
        eventfd_t count = 0;
        (void)::eventfd_read(wake_.get(), &count);
    }
}

void Keeper::serve(const std::stop_token& stopping) {
    for (;;) {
        Job job;
        {
            std::unique_lock lock(jobs_mutex_);
            if (!jobs_filled_.wait(lock, stopping, [this] { return !jobs_.empty(); })) return;
            if (stopping.stop_requested()) return;
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        const auto outcome = job.work(stopping);
        {
            const std::lock_guard lock(inbox_mutex_);
            done_.push_back({.name = job.name, .id = job.id, .outcome = outcome});
        }
        wake();
    }
}

std::chrono::milliseconds Keeper::look() {
    std::vector<Done> done;
    {
        const std::lock_guard lock(inbox_mutex_);
        done = std::exchange(done_, {});
    }
    for (const auto& one : done) apply(one);
    for (const auto& name : names_to_look_at()) consider(name);
    auto next = Steady::max();
    for (const auto& [name, kept] : kept_) {
        if (!kept.at_work) next = std::min(next, kept.look_at);
    }
    if (next == Steady::max()) return wait_max;
    return std::max(0ms, std::chrono::ceil<std::chrono::milliseconds>(next - clock_.steady()));
}

std::set<std::string> Keeper::names_to_look_at() {
    std::set<std::string> names;
    bool all = false;
    {
        const std::lock_guard lock(inbox_mutex_);
        names = std::exchange(changed_, {});
        all = std::exchange(all_changed_, false);
    }
    if (all) {
        if (const auto rows = containers_.rows()) {
            for (const auto& row : *rows) names.insert(row.name);
        }
    }
    const auto now = clock_.steady();
    for (const auto& [name, kept] : kept_) {
        if (kept.at_work) continue;
        if (all || kept.look_at <= now || (kept.watch && readable(kept.watch))) names.insert(name);
    }
    return names;
}

void Keeper::consider(const std::string& name) {
    const auto row = containers_.row(name);
    if (!row) {
        if (const auto kept = kept_.find(name); kept != kept_.end())
            kept->second.look_at = clock_.steady() + retry_after;
        return log::warning("a container cannot be looked at",
                            {{"container", name}, {"cause", row.error().message}});
    }
    if (!*row || (*row)->phase != store::Phase::ready) {
        kept_.erase(name);
        return;
    }
    Kept& kept = kept_[name];
    if (kept.id != (*row)->id) {
        const auto flapping = warnings_.entities(std::string(warning::container_flapping));
        kept = {.id = (*row)->id, .flapping = flapping.contains(warning::container_entity(name))};
    }
    if (kept.at_work) return;
    const auto now = clock_.steady();
    const bool running = engine_.running(kept.id);
    if (kept.watch && (!running || readable(kept.watch))) {
        kept.ended = std::make_shared<const Fd>(std::exchange(kept.watch, {}));
        if (!running && (*row)->wanted_running) {
            kept.look_at = now;
            kept.start_not_before =
                now + kept.backoff.next(std::chrono::duration_cast<std::chrono::milliseconds>(
                          now - kept.up_since));
        }
    }
    if (running || !(*row)->wanted_running) kept.ended.reset();
    if (kept.ended) {
        if (kept.look_at <= now) note_end(**row, kept);
        return;
    }
    if (running && !kept.watch) {
        if (auto watch = engine_.watch(kept.id)) kept.watch = *std::move(watch);
        kept.up_since = now;
    }
    forgive(**row, kept);
    const bool may_idle = running && (*row)->life.idle_stop_seconds > 0;
    const auto last_use = may_idle ? containers_.last_use(**row) : schedule::Time();
    act(**row, kept, schedule::next_for(**row, running, last_use, clock_.wall()));
}

void Keeper::note_end(const store::Container& row, Kept& kept) {
    submit(row, kept, [this, row, ended = kept.ended](const std::stop_token&) {
        const auto ending = engine_.ending(row.id, *ended);
        const auto again = containers_.note_end(row, ending);
        const auto noted = outcome_of(row, again ? Result<>() : std::unexpected(again.error()));
        if (!again || !*again) return noted;
        return ending == engine::Ending::rebooted ? Outcome::again_now : Outcome::again;
    });
}

void Keeper::blame(const std::string& name, Kept& kept) {
    if (kept.backoff.attempts() < schedule::flapping_attempts) return;
    kept.flapping = true;
    warnings_.raise(
        {.type = warning::container_flapping,
         .severity = warning::Severity::error,
         .entity = warning::container_entity(name),
         .message =
             fmt::format("container '{}' keeps ending: it was to be started again {} times "
                         "without having been up for {} minutes",
                         name, kept.backoff.attempts(), schedule::restart_forgiven_after.count()),
         .next = "call container_logs while it runs to see what ends it, or container_stop"});
}

void Keeper::forgive(const store::Container& row, Kept& kept) {
    const bool recovered =
        kept.watch && clock_.steady() - kept.up_since >= schedule::restart_forgiven_after;
    if (!kept.flapping || (row.wanted_running && !recovered)) return;
    kept.flapping = false;
    warnings_.resolve(warning::container_flapping, warning::container_entity(row.name));
}

void Keeper::act(const store::Container& row, Kept& kept, const schedule::Next& next) {
    const auto now = clock_.steady();
    kept.look_at = next.look_in == schedule::never ? Steady::max() : now + next.look_in;
    if (kept.flapping && kept.watch)
        kept.look_at = std::min(kept.look_at, kept.up_since + schedule::restart_forgiven_after);
    switch (next.act) {
        case schedule::Act::none:
            return;
        case schedule::Act::stop:
            return submit(row, kept, [this, row](const std::stop_token&) {
                return outcome_of(row, containers_.stop_unused(row));
            });
        case schedule::Act::remove:
            return submit(row, kept, [this, row](const std::stop_token&) {
                return outcome_of(row, containers_.remove_due(row));
            });
        case schedule::Act::start:
            if (now < kept.start_not_before) {
                kept.look_at = std::min(kept.look_at, kept.start_not_before);
                return;
            }
            return submit(row, kept, [this, row](const std::stop_token& stopping) {
                const auto started = containers_.start_again(row, stopping);
                if (started) return Outcome::fine;
                if (!stopping.stop_requested()) tell_not_started(warnings_, row, started.error());
                return Outcome::not_started;
            });
    }
}

Keeper::Outcome Keeper::outcome_of(const store::Container& row, const Result<>& done) {
    const auto entity = warning::container_entity(row.name);
    if (done) {
        warnings_.resolve(warning::reconcile_failed, entity);
        return Outcome::fine;
    }
    warning::tell_not_repaired(
        warnings_, warning::Severity::error, entity,
        fmt::format("container '{}' could not be kept as it is wanted", row.name), done.error());
    return Outcome::failed;
}

void Keeper::submit(const store::Container& row, Kept& kept, Work work) {
    kept.at_work = true;
    if (inline_) {
        const auto outcome = work({});
        apply({.name = row.name, .id = row.id, .outcome = outcome});
        return;
    }
    {
        const std::lock_guard lock(jobs_mutex_);
        jobs_.push_back({.name = row.name, .id = row.id, .work = std::move(work)});
    }
    jobs_filled_.notify_one();
}

void Keeper::apply(const Done& done) {
    const auto found = kept_.find(done.name);
    if (found == kept_.end() || found->second.id != done.id) return;
    Kept& kept = found->second;
    kept.at_work = false;
    const auto now = clock_.steady();
    kept.look_at = now;
    if (done.outcome != Outcome::failed) kept.ended.reset();
    if (done.outcome == Outcome::again) blame(done.name, kept);
    if (done.outcome == Outcome::failed) kept.look_at = now + retry_after;
    if (done.outcome == Outcome::again_now) kept.start_not_before = now;
    if (done.outcome == Outcome::not_started) kept.start_not_before = now + kept.backoff.next(0ms);
}

}  // namespace berth::container
