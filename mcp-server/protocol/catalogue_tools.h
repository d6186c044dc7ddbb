// SPDX-License-Identifier: Apache-2.0
// The tools of the catalogue, run by whoever the Invoker reaches.
#pragma once

#include "mcp-server/protocol/offer.h"

#include <vector>

namespace berth::mcp {

class CatalogueTools final : public ToolSet {
public:
    /// `invoker` must outlive this.
    explicit CatalogueTools(Invoker& invoker);

    [[nodiscard]] std::span<const ToolEntry> entries() const override { return entries_; }
    [[nodiscard]] ToolAnswer call(std::string_view name, const Json& arguments,
                                  const Asked& asked) override;

private:
    Invoker& invoker_;
    std::vector<ToolEntry> entries_;
};

}  // namespace berth::mcp
