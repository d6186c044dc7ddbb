// SPDX-License-Identifier: Apache-2.0
#include "host/operation/operations.h"

#include "base/files.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/turns.h"
#include "host/operation/digest.h"
#include "host/operation/shapes.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

#include <exception>
#include <system_error>

namespace berth::operation {
namespace {

Error stopping_error() {
    return make_error(ErrorCode::unavailable, "berthd is stopping")
        .next("call again when it has started");
}

Result<Json> guarded(const ToolSpec& tool, const Runner::Work& work, const Call& call) {
    try {
        return work(call);
    } catch (const std::exception& bug) {
        return fail(ErrorCode::internal,
                    fmt::format("{} failed unexpectedly: {}", tool.name, bug.what()));
    }
}

}  // namespace

std::string random_id() {
    constexpr std::size_t bytes = 13;  // 26 hexadecimal digits: nobody guesses another's
    return "op_" + random_hex(bytes);
}

Operations::Operations(store::Database& database, const Clock& clock, events::Events& events,
                       Options options)
    : rows_(database),
      requests_(database),
      clock_(clock),
      events_(events),
      options_(std::move(options)) {}

Operations::~Operations() {
    stop();
}

std::string Operations::now() const {
    return to_rfc3339(clock_.wall());
}

std::string Operations::expiry() const {
    return to_rfc3339(clock_.wall() + options_.operation_kept);
}

Result<Json> Operations::run(const ToolSpec& tool, const CommonArguments& common,
                             const Json& arguments, const Call& call, Work work) {
    if (!common.request_id && !tool.long_running) return work(call);
    std::optional<Run::Time> background_at;
    if (tool.long_running && call.background_after)
        background_at = std::chrono::steady_clock::now() + *call.background_after;
    if (tool.long_running && common.background) background_at = Run::Time::min();
    if (!common.request_id) {
        return begin(new_run(tool, arguments, call.caller, std::nullopt), tool, background_at, call,
                     std::move(work));
    }
    for (;;) {
        const auto claimed = BERTH_TRY(claim(tool, *common.request_id, arguments, call.caller));
        if (!claimed.run) return claimed.result;
        if (claimed.fresh) {
            return begin(claimed.run, tool, background_at, call,
                         settled(tool, arguments, claimed.cut_short, std::move(work)));
        }
        auto answer = attend(claimed.run, background_at, call);
        const bool still_wanted =
            !call.cancelled.stop_requested() && std::chrono::steady_clock::now() < call.deadline;
        // Another caller of the same has taken it back; that is no answer to this one.
        const bool taken_back = !answer && claimed.run->told_to_stop() &&
                                !claimed.run->cancelled_by_id() && still_wanted;
        if (!taken_back || is_stopping()) return answer;
    }
}

std::shared_ptr<Run> Operations::new_run(const ToolSpec& tool, const Json& arguments,
                                         const std::string& caller,
                                         std::optional<store::Request> request) const {
    const auto created = now();
    return std::make_shared<Run>(store::Operation{.id = options_.make_id(),
                                                  .caller = caller,
                                                  .tool = std::string(tool.name),
                                                  .container = container_of(arguments),
                                                  .created_at = created,
                                                  .updated_at = created,
                                                  .expires_at = expiry()},
                                 std::move(request));
}

Result<Operations::Claim> Operations::claim(const ToolSpec& tool, const std::string& request_id,
                                            const Json& arguments, const std::string& caller) {
    store::Request asked{.caller = caller,
                         .key = request_id,
                         .tool = std::string(tool.name),
                         .arguments = digest_of(arguments),
                         .created_at = now()};
    const auto same = [&](const store::Request& other) -> Result<> {
        if (other.tool == asked.tool && other.arguments == asked.arguments) return {};
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("request_id '{}' was used for another call of {}",
                                           request_id, other.tool))
                        .at("/request_id")
                        .next("use a request_id of its own for each call, and the same one only "
                              "to repeat it unchanged"));
    };
    const std::lock_guard claiming(requests_mutex_);
    if (auto live = find_live({caller, request_id})) {
        BERTH_TRY(same(*live->request()));
        live->join();
        return Claim{.run = std::move(live)};
    }
    Claim claim{.fresh = true};
    if (const auto known = BERTH_TRY(requests_.find(caller, request_id))) {
        BERTH_TRY(same(*known));
        if (known->result) return Claim{.result = BERTH_TRY(parse_json(*known->result))};
        claim.cut_short = *known;  // nobody works on it any more
    } else {
        if (recovery_.before) asked.before = to_text(recovery_.before(tool, arguments));
        BERTH_TRY(requests_.insert(asked, to_rfc3339(clock_.wall() - options_.request_kept),
                                   options_.requests_kept_max));
    }
    claim.run = new_run(tool, arguments, caller, asked);
    const std::lock_guard lock(mutex_);
    by_request_.emplace(Key(caller, request_id), claim.run);
    return claim;
}

Runner::Work Operations::settled(const ToolSpec& tool, const Json& arguments,
                                 std::optional<store::Request> cut_short, Work work) const {
    if (!cut_short || !recovery_.settle) return work;
    return [this, &tool, arguments, cut_short = *std::move(cut_short),
            work = std::move(work)](const Call& call) -> Result<Json> {
        const auto before = BERTH_TRY(parse_json(cut_short.before));
        if (auto done = recovery_.settle(tool, arguments, before, cut_short.created_at))
            return *std::move(done);
        return work(call);
    };
}

/// The first to attend a run begins it.
Result<Json> Operations::begin(const std::shared_ptr<Run>& run, const ToolSpec& tool,
                               std::optional<Run::Time> background_at, const Call& call,
                               Work work) {
    run->join();
    if (!tool.long_running) {
        finish(run, guarded(tool, work, call));
        return run->outcome();
    }
    const bool at_once = background_at && *background_at <= std::chrono::steady_clock::now();
    const auto begun = [&]() -> Result<> {
        if (at_once) (void)BERTH_TRY(hand_out(run));  // before the work: who gets an id can ask
        return start(run, tool, std::move(work), call);
    }();
    if (!begun) {
        finish(run, fail(begun.error()));
        return fail(begun.error());
    }
    if (at_once) {
        (void)run->leave();
        return Json{{"operation", operation_json(run->state())}};
    }
    return attend(run, background_at, call);
}

Result<> Operations::start(const std::shared_ptr<Run>& run, const ToolSpec& tool, Work work,
                           const Call& call) {
    reap();
    const std::lock_guard lock(mutex_);
    if (stopping_) return fail(stopping_error());
    const auto too_many = [&] {
        return fail(
            make_error(ErrorCode::busy,
                       fmt::format("{} long calls are running, and no more can", working_.size()))
                .next("call again when some have ended")
                .call("operation_list", {{"status", "working"}}));
    };
    if (working_.size() >= options_.operations_running_max) return too_many();
    // The caller's own deadline and wish to cancel reach the run through whoever attends it.
    Call inside{.caller = call.caller,
                .cancelled = run->stopping(),
                .report = [run](const Progress& progress) { run->report(progress); },
                .expected_state = call.expected_state,
                .file = call.file};
    try {
        working_.emplace(run, std::jthread([this, run, &tool, work = std::move(work),
                                            inside = std::move(inside)]() mutable {
                             go_in_turn();
                             auto outcome = guarded(tool, work, inside);
                             work = nullptr;  // what it holds goes before anybody hears of the end
                             inside.file.reset();
                             finish(run, std::move(outcome));
                         }));
    } catch (const std::system_error&) {  // no thread to be had
        return too_many();
    }
    return {};
}

store::Operation Operations::end_of(Run& run, const Result<Json>& outcome) {
    auto row = run.state().row;
    row.updated_at = now();
    row.expires_at = expiry();
    row.status = outcome                 ? store::OperationStatus::completed
                 : run.cancelled_by_id() ? store::OperationStatus::cancelled
                                         : store::OperationStatus::failed;
    if (outcome) {
        row.outcome = to_text(*outcome);
    } else if (run.told_to_stop() && is_stopping()) {
        row.outcome = to_text(error_json(interrupted("berthd was stopped while it ran")));
    } else {
        row.outcome = to_text(error_json(outcome.error()));
    }
    return row;
}

void Operations::finish(const std::shared_ptr<Run>& run, Result<Json> outcome) {
    if (const auto& request = run->request()) {
        // An error changed nothing, so the same call may be tried again; a result stands.
        const auto kept =
            outcome ? requests_.finish(*request, to_text(*outcome)) : requests_.remove(*request);
        if (!kept) {
            log::error("the result of a request_id could not be kept",
                       {{"tool", request->tool}, {"cause", kept.error().message}});
        }
    }
    if (const auto& request = run->request()) {
        // Before the end is heard of, so that a call made on hearing it is not answered from here.
        const std::lock_guard lock(mutex_);
        by_request_.erase({request->caller, request->key});
    }
    bool lost = false;
    auto row = end_of(*run, outcome);
    run->end(std::move(outcome), row, [&](const store::Operation& ended) {
        const auto kept = rows_.end(ended);
        lost = !kept;
        if (lost) {
            log::error("the end of an operation could not be kept",
                       {{"id", ended.id}, {"cause", kept.error().message}});
        }
        events_.operation(ended.id, store::status_word(ended.status), ended.caller);
    });
    const std::lock_guard lock(mutex_);
    if (!lost) by_id_.erase(row.id);  // else memory is the only place that knows of its end
    if (const auto thread = working_.find(run); thread != working_.end()) {
        ended_.push_back(std::move(thread->second));
        working_.erase(thread);
    }
    idle_.notify_all();
}

Result<bool> Operations::hand_out(const std::shared_ptr<Run>& run) {
    return run->hand_out([&](const store::Operation& row) -> Result<> {
        BERTH_TRY(rows_.expire(now()));
        BERTH_TRY(rows_.insert(row, options_.operations_kept_max));
        events_.operation(row.id, store::status_word(row.status), row.caller);
        const std::lock_guard lock(mutex_);
        by_id_.emplace(row.id, run);
        return {};
    });
}

Result<Json> Operations::attend(const std::shared_ptr<Run>& run,
                                std::optional<Run::Time> background_at, const Call& call) {
    for (;;) {
        switch (run->wait(call, background_at, options_.heartbeat)) {
            case Run::Woke::ended:
                (void)run->leave();
                return run->outcome();
            case Run::Woke::left:
                return left(run, call);
            case Run::Woke::background:
                break;
        }
        const auto out = hand_out(run);
        if (out && *out) {
            (void)run->leave();
            return Json{{"operation", operation_json(run->state())}};
        }
        if (!out)
            log::error("an operation could not be handed out", {{"cause", out.error().message}});
        background_at.reset();  // it has ended, or cannot be kept: its result is waited for
    }
}

/// The caller is gone or its time is up.
Result<Json> Operations::left(const std::shared_ptr<Run>& run, const Call& call) {
    const bool told = run->leave();
    const bool ended = run->wait_for_end(Run::Time::min(), {});
    const auto late = [&](std::string message) {
        return make_error(ErrorCode::timed_out, std::move(message));
    };
    const auto row = run->state().row;
    if (!told && !ended && !run->told_to_stop()) {
        return fail(late(fmt::format("{} goes on for another caller", row.tool))
                        .next("call again with the same request_id"));
    }
    if (!run->wait_for_end(std::chrono::steady_clock::now() + options_.undo_wait, {})) {
        return fail(late(fmt::format("{} was told to stop and is still at it", row.tool))
                        .next("look at its target, and call again"));
    }
    auto outcome = run->outcome();
    if (outcome || call.cancelled.stop_requested()) return outcome;
    return fail(late(fmt::format("the time of the call was up: {}", outcome.error().message))
                    .next("allow more time, or pass background: true"));
}

std::shared_ptr<Run> Operations::find_live(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto found = by_request_.find(key);
    return found == by_request_.end() ? nullptr : found->second;
}

bool Operations::is_stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

void Operations::reap() {
    std::vector<std::jthread> ended;
    const std::lock_guard lock(mutex_);
    std::swap(ended, ended_);
}

void Operations::stop() {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    std::vector<std::shared_ptr<Run>> runs;
    for (const auto& [run, thread] : working_) runs.push_back(run);
    lock.unlock();
    for (const auto& run : runs) run->cancel(false);
    lock.lock();
    idle_.wait(lock, [this] { return working_.empty(); });
    lock.unlock();
    reap();
}

}  // namespace berth::operation
