// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/registry/tool_registry.h"

#include "tools-schema/contract/decode.h"

#include <fmt/format.h>

#include <exception>

namespace berth {

Result<Json> ToolRegistry::invoke(std::string_view tool, const Json& arguments, const Call& call) {
    const auto found = bound_.find(tool);
    if (found == bound_.end()) {
        auto error = make_error(ErrorCode::not_found, fmt::format("there is no tool '{}'", tool));
        const auto meant = nearest(tool, names());
        return fail(meant.empty()
                        ? std::move(error)
                        : std::move(error).next(fmt::format("did you mean '{}'?", meant)));
    }
    try {
        auto answer = found->second(arguments, call);
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

std::vector<std::string> ToolRegistry::names() const {
    std::vector<std::string> names;
    for (const auto& [name, handler] : bound_) names.push_back(name);
    return names;
}

}  // namespace berth
