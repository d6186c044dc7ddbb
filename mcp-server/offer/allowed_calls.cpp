// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/allowed_calls.h"

#include <fmt/format.h>

namespace berth::mcp {

Result<Json> call_for(const Asked& asked, Invoker& invoker, std::string_view tool,
                      const Json& arguments) {
    if (!asked.client.may_call(tool)) {
        return fail(make_error(ErrorCode::denied,
                               fmt::format("this needs the tool {}, which you may not call", tool))
                        .next("ask the operator for a token or a toolset that has it"));
    }
    return invoker.invoke(tool, arguments, asked.call);
}

Result<ContainerPage> container_names(const Asked& asked, Invoker& invoker,
                                      const std::string& after, std::size_t limit) {
    // One more than wanted tells whether there are more.
    Json arguments = {{"limit", limit + 1}};
    if (!after.empty()) arguments["after"] = after;
    const Json answer = BERTH_TRY(call_for(asked, invoker, "container_list", arguments));
    ContainerPage page;
    for (const Json& container : answer.value("containers", Json::array())) {
        page.names.push_back(text_member(container, "name"));
    }
    page.more = page.names.size() > limit;
    if (page.more) page.names.resize(limit);
    return page;
}

std::string text_member(const Json& object, const char* key) {
    if (!object.is_object()) return "";
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace berth::mcp
