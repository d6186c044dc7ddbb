// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/catalogue_tools.h"

#include "tools-schema/registry/tool_spec.h"

namespace berth::mcp {

CatalogueTools::CatalogueTools(Invoker& invoker) : invoker_(invoker) {
    for (const ToolSpec& tool : tool_catalogue()) {
        entries_.push_back({.name = std::string(tool.name), .listing = std::string(tool.listing)});
    }
}

ToolAnswer CatalogueTools::call(std::string_view name, const Json& arguments, const Asked& asked) {
    auto output = invoker_.invoke(name, arguments, asked.call);
    if (!output) return std::unexpected(std::move(output).error());
    return TypedOutput{*std::move(output)};
}

}  // namespace berth::mcp
