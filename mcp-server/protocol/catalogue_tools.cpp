// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/catalogue_tools.h"

#include "tools-schema/registry/tool_spec.h"

namespace berth::mcp {

CatalogueTools::CatalogueTools(Invoker& invoker) : invoker_(invoker) {
    for (const ToolSpec& tool : tool_catalogue()) {
        entries_.push_back({.name = std::string(tool.name), .listing = std::string(tool.listing)});
    }
}

Result<ToolReply> CatalogueTools::call(std::string_view name, const Json& arguments,
                                       const Call& call) {
    return TypedOutput{BERTH_TRY(invoker_.invoke(name, arguments, call))};
}

}  // namespace berth::mcp
