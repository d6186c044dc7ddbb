// SPDX-License-Identifier: Apache-2.0
#include "host/operation/run.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::operation {
namespace {

using Clock = std::chrono::steady_clock;

/// The longest single wait; the time that a caller sets may lie at the end of time.
constexpr auto wait_max = std::chrono::hours(1);

}  // namespace

void Run::report(const Progress& progress) {
    {
        const std::lock_guard lock(mutex_);
        progress_ = progress;
        ++reports_;
    }
    changed_.notify_all();
}

void Run::end(Result<Json> outcome, store::Operation as,
              const std::function<void(const store::Operation&)>& keep) {
    {
        const std::lock_guard lock(mutex_);
        row_ = std::move(as);
        if (handed_out_) keep(row_);
        outcome_ = std::move(outcome);
    }
    changed_.notify_all();
}

Progress Run::heartbeat(int beats) const {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begun_).count();
    if (!progress_) {
        return {.done = static_cast<double>(seconds),
                .message = fmt::format("{}: running for {} s", row_.tool, seconds)};
    }
    // Progress has to grow for clients (MCP, progress): towards the next step, never reaching it.
    return {.done = progress_->done + 1.0 - 1.0 / (1.0 + beats),
            .total = progress_->total,
            .message = fmt::format("{}: running for {} s", progress_->message, seconds)};
}

Run::Woke Run::wait(const Call& call, std::optional<Time> background_at,
                    std::chrono::milliseconds beat_every) {
    std::uint64_t heard = 0;
    int beats = 0;  // since something was reported
    auto beat_at = Clock::now() + beat_every;
    std::unique_lock lock(mutex_);
    for (;;) {
        const auto now = Clock::now();
        if (outcome_) return Woke::ended;
        if (call.cancelled.stop_requested() || now >= call.deadline) return Woke::left;
        if (background_at && now >= *background_at) return Woke::background;
        if (call.report && (heard != reports_ || now >= beat_at)) {
            beats = heard != reports_ ? 0 : beats + 1;
            const auto progress = heard != reports_ ? *progress_ : heartbeat(beats);
            heard = reports_;
            beat_at = now + beat_every;
            lock.unlock();  // who listens takes its time
            call.report(progress);
            lock.lock();
            continue;
        }
        auto until = std::min(call.deadline, now + wait_max);
        if (background_at) until = std::min(until, *background_at);
        if (call.report) until = std::min(until, beat_at);
        (void)changed_.wait_until(lock, call.cancelled, until,
                                  [&] { return outcome_ || (call.report && heard != reports_); });
    }
}

bool Run::wait_for_end(Time deadline, const std::stop_token& cancelled) {
    std::unique_lock lock(mutex_);
    const auto until = std::min(deadline, Clock::now() + wait_max);
    return changed_.wait_until(lock, cancelled, until, [this] { return outcome_.has_value(); });
}

Result<Json> Run::outcome() {
    const std::lock_guard lock(mutex_);
    return outcome_.value();
}

State Run::state() {
    const std::lock_guard lock(mutex_);
    return {.row = row_, .progress = progress_};
}

void Run::join() {
    const std::lock_guard lock(mutex_);
    ++waiting_;
}

bool Run::leave() {
    bool nobody_wants_it = false;
    {
        const std::lock_guard lock(mutex_);
        nobody_wants_it = --waiting_ == 0 && !handed_out_ && !outcome_;
    }
    if (nobody_wants_it) stop_.request_stop();  // unlocked, because it calls whoever listens
    return nobody_wants_it;
}

Result<bool> Run::hand_out(const std::function<Result<>(const store::Operation&)>& keep) {
    const std::lock_guard lock(mutex_);
    if (outcome_) return false;
    if (!handed_out_) BERTH_TRY(keep(row_));
    handed_out_ = true;
    return true;
}

void Run::cancel(bool asked_by_caller) {
    {
        const std::lock_guard lock(mutex_);
        cancelled_by_id_ = cancelled_by_id_ || asked_by_caller;
    }
    stop_.request_stop();
}

bool Run::cancelled_by_id() {
    const std::lock_guard lock(mutex_);
    return cancelled_by_id_;
}

}  // namespace berth::operation
