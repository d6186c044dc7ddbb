// SPDX-License-Identifier: Apache-2.0
// The tools an MCP server offers, however they are implemented.
#pragma once

#include "tools-schema/registry/invoker.h"

#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace berth::mcp {

struct ToolEntry {
    std::string name;
    std::string listing;  // its entry in tools/list, JSON text
};

/// A typed result: it becomes structuredContent, and a text made from it.
struct TypedOutput {
    Json value;
};

/// Content blocks as they go out.
struct RawContent {
    Json blocks = Json::array();
    bool is_error = false;
};

using ToolReply = std::variant<TypedOutput, RawContent>;

class ToolSet {
public:
    ToolSet() = default;
    ToolSet(const ToolSet&) = delete;
    ToolSet& operator=(const ToolSet&) = delete;
    virtual ~ToolSet() = default;

    /// The same at every call, in the order of the listing.
    [[nodiscard]] virtual std::span<const ToolEntry> entries() const = 0;

    /// Called from many threads, only with a name from entries(). Returns soon after
    /// Call::cancelled.
    [[nodiscard]] virtual Result<ToolReply> call(std::string_view name, const Json& arguments,
                                                 const Call& call) = 0;
};

}  // namespace berth::mcp
