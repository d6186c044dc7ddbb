// SPDX-License-Identifier: Apache-2.0
// berthd's operations as tasks of the tasks extension. berthd keeps them, so a task outlives the
// connection, this process, and berthd itself.
#pragma once

#include "mcp-server/protocol/offer.h"
#include "tools-schema/registry/invoker.h"

#include <optional>
#include <string>

namespace berth::mcp {

/// How often a client need ask for a task.
inline constexpr std::int64_t task_poll_ms = 1000;

/// The operation in a tool's answer, {"operation": {"id", "status", …}}; nullptr when it is a
/// result of another kind.
[[nodiscard]] const Json* operation_in(const Json& answer);

/// A task in the state of that operation. A tool that failed is a completed task with an Error.
[[nodiscard]] Task task_of(const Json& operation);

class CatalogueTasks final : public TaskSet {
public:
    /// `invoker` must outlive this.
    explicit CatalogueTasks(Invoker& invoker) : invoker_(invoker) {}

    [[nodiscard]] std::expected<Task, Fault> get(const std::string& id,
                                                 const Asked& asked) override;
    /// Operations ask nothing, so there is nothing to tell them; it only has to be the caller's.
    [[nodiscard]] std::expected<void, Fault> update(const std::string& id, const Json& responses,
                                                    const Asked& asked) override;
    [[nodiscard]] std::expected<void, Fault> cancel(const std::string& id,
                                                    const Asked& asked) override;

private:
    Invoker& invoker_;
};

}  // namespace berth::mcp
