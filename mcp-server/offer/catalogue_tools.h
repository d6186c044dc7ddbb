// SPDX-License-Identifier: Apache-2.0
// The tools of the catalogue as a client calls them: through the gate, and in a way that a call
// which takes minutes does not end in the client's timeout.
#pragma once

#include "mcp-server/offer/gate.h"
#include "mcp-server/protocol/offer.h"
#include "tools-schema/registry/tool_spec.h"

#include <chrono>
#include <vector>

namespace berth::mcp {

/// A client of the tasks extension gets a result, when it is there this soon, and else a task.
inline constexpr std::chrono::milliseconds task_after{1'000};
/// A client that hears no progress gives up after a minute, mostly; before that it gets an
/// operation.
inline constexpr std::chrono::milliseconds operation_after{45'000};

class CatalogueTools final : public ToolSet {
public:
    /// All must outlive this.
    CatalogueTools(Invoker& invoker, Gate& gate,
                   std::span<const ToolSpec> tools = tool_catalogue());

    [[nodiscard]] std::span<const ToolEntry> entries() const override { return entries_; }
    [[nodiscard]] ToolAnswer call(std::string_view name, const Json& arguments,
                                  const Asked& asked) override;

private:
    [[nodiscard]] ToolAnswer attempt(std::string_view name, const Json& arguments,
                                     const Asked& asked);

    Invoker& invoker_;
    Gate& gate_;
    std::span<const ToolSpec> tools_;
    std::vector<ToolEntry> entries_;
};

}  // namespace berth::mcp
