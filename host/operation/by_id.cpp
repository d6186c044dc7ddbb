// SPDX-License-Identifier: Apache-2.0
// What can be asked of operations that were handed out.
#include "base/log.h"
#include "host/operation/operations.h"
#include "host/operation/shapes.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

namespace berth::operation {
namespace {

constexpr auto cancel_wait = std::chrono::seconds(1);

/// Callers on this machine: a person or a script at berthd's socket, and an agent's own server.
bool sees_all(const std::string& caller) {
    return caller.starts_with("uid:") || caller.starts_with("mcp-stdio");
}

Error no_such(const std::string& id) {
    return make_error(ErrorCode::not_found, fmt::format("there is no operation '{}'", id))
        .at("/id")
        .next("an operation is kept for an hour after its end")
        .call("operation_list", Json::object());
}

}  // namespace

Result<> Operations::recover() {
    const auto ended = BERTH_TRY(rows_.end_all(
        {.status = store::OperationStatus::failed,
         .updated_at = now(),
         .expires_at = expiry(),
         .outcome = to_text(error_json(interrupted("berthd restarted while it ran")))}));
    for (const auto& row : ended)
        log::info("an operation was cut short", {{"id", row.id}, {"tool", row.tool}});
    return rows_.expire(now());
}

std::shared_ptr<Run> Operations::find_working(const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

Result<State> Operations::find(const std::string& id, const std::string& caller) {
    std::optional<State> state;
    if (const auto run = find_working(id)) {
        state = run->state();
    } else if (auto row = BERTH_TRY(rows_.find(id))) {
        state = State{.row = *std::move(row)};
    }
    const bool expired = state && state->row.status != store::OperationStatus::working &&
                         state->row.expires_at <= now();
    // Another's operation and none at all look the same, so that ids cannot be tried out.
    if (!state || expired || (state->row.caller != caller && !sees_all(caller)))
        return fail(no_such(id));
    return *std::move(state);
}

Result<State> Operations::get(const std::string& id, const Call& call,
                              std::chrono::milliseconds wait) {
    (void)BERTH_TRY(find(id, call.caller));
    const auto run = find_working(id);
    if (!run) return find(id, call.caller);  // it has ended, perhaps between these two lines
    run->wait_for_end(std::min(call.deadline, std::chrono::steady_clock::now() + wait),
                      call.cancelled);
    return run->state();
}

Result<std::vector<State>> Operations::list(const std::string& caller) {
    BERTH_TRY(rows_.expire(now()));
    std::vector<State> states;
    for (auto& row : BERTH_TRY(rows_.list())) {
        if (row.caller != caller && !sees_all(caller)) continue;
        const auto run = find_working(row.id);
        states.push_back(run ? run->state() : State{.row = std::move(row)});
    }
    return states;
}

Result<State> Operations::cancel(const std::string& id, const Call& call) {
    (void)BERTH_TRY(find(id, call.caller));
    const auto run = find_working(id);
    if (!run) return find(id, call.caller);
    run->cancel(true);
    (void)run->wait_for_end(std::min(call.deadline, std::chrono::steady_clock::now() + cancel_wait),
                            call.cancelled);
    return run->state();
}

}  // namespace berth::operation
