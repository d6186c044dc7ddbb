// SPDX-License-Identifier: Apache-2.0
// What calls of one kind have in common besides their own arguments, and who runs them: between a
// decoded input and its handler.
#pragma once

#include "tools-schema/registry/invoker.h"
#include "tools-schema/registry/tool_spec.h"

#include <functional>
#include <optional>
#include <string>

namespace berth {

/// The arguments that toolgen adds to whole classes of tools (tools-schema/common.json).
struct CommonArguments {
    bool dry_run = false;                        // mutating tools
    std::optional<std::string> request_id = {};  // mutating tools: the idempotency key
    bool background = false;                     // long tools
};

/// What a mutating call would do, found out without doing it.
struct Preview {
    std::string would;      // "delete container 'ada' (running, 2 ports)": one line for a person
    Json target = nullptr;  // the object as it is now; null when there is none yet
};

/// Runs decoded calls: as operations, and once per request_id.
class Runner {
public:
    using Work = std::function<Result<Json>(const Call&)>;

    Runner() = default;
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;
    virtual ~Runner() = default;

    /// `arguments` are valid and as the caller sent them; `work` does the call and may be called
    /// from another thread, after this has returned with an operation.
    [[nodiscard]] virtual Result<Json> run(const ToolSpec& tool, const CommonArguments& common,
                                           const Json& arguments, const Call& call, Work work) = 0;
};

}  // namespace berth
