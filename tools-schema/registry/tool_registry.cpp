// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/registry/tool_registry.h"

#include "tools-schema/contract/decode.h"
#include "tools-schema/registry/state_digest.h"

#include <fmt/format.h>

#include <exception>

namespace berth {
namespace {

/// Runs what handlers do: an exception ends here, and a refused input says what to do about it.
template <class Body>
Result<Json> guarded(std::string_view tool, const Body& body) {
    try {
        Result<Json> answer = body();
        if (!answer && answer.error().code == ErrorCode::invalid_argument &&
            answer.error().hint.empty()) {
            answer.error().hint = fmt::format(
                "correct that and call {} again; its input schema says what fits", tool);
        }
        return answer;
    } catch (const std::exception& bug) {
        return fail(ErrorCode::internal,
                    fmt::format("{} failed unexpectedly: {}", tool, bug.what()));
    }
}

Json dry_run_answer(const ToolSpec& tool, Preview preview) {
    auto state = state_digest(tool.name, preview.target);
    return Json{{"dry_run", true},
                {"would", std::move(preview.would)},
                {"target", std::move(preview.target)},
                {"state", std::move(state)}};
}

Result<> require_state(const ToolSpec& tool, const Preview& preview, std::string_view expected) {
    if (state_digest(tool.name, preview.target) == expected) return {};
    return fail(make_error(ErrorCode::busy, "the target has changed since it was looked at")
                    .next(fmt::format("call {} with dry_run to see it as it is now", tool.name)));
}

}  // namespace

Result<Json> ToolRegistry::invoke(std::string_view tool, const Json& arguments, const Call& call) {
    const auto found = bound_.find(tool);
    if (found == bound_.end()) {
        auto error = make_error(ErrorCode::not_found, fmt::format("there is no tool '{}'", tool));
        const auto meant = nearest(tool, names());
        return fail(meant.empty()
                        ? std::move(error)
                        : std::move(error).next(fmt::format("did you mean '{}'?", meant)));
    }
    return guarded(tool, [&] { return found->second(arguments, call); });
}

Result<Json> ToolRegistry::change(const ToolSpec& tool, const Json& arguments, const Call& call,
                                  Change change) {
    if (change.common.dry_run) return dry_run_answer(tool, BERTH_TRY(change.preview(call)));
    const auto common = change.common;
    // The state is compared as part of the work: right before it is changed, and not when a
    // request_id only asks for the result of work that is done.
    Runner::Work work = [&tool, expected = call.expected_state,
                         change = std::move(change)](const Call& now) {
        return guarded(tool.name, [&]() -> Result<Json> {
            if (!expected.empty()) {
                BERTH_TRY(require_state(tool, BERTH_TRY(change.preview(now)), expected));
            }
            return change.work(now);
        });
    };
    if (runner_ == nullptr) return work(call);
    return runner_->run(tool, common, arguments, call, std::move(work));
}

std::vector<std::string> ToolRegistry::names() const {
    std::vector<std::string> names;
    for (const auto& [name, handler] : bound_) names.push_back(name);
    return names;
}

}  // namespace berth
