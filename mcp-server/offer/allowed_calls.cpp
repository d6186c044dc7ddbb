// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/allowed_calls.h"

#include <fmt/format.h>

namespace berth::mcp {
namespace {

/// What warning_list gives at most, and berthd keeps.
constexpr int warnings_max = 1000;

std::unexpected<Error> denied(std::string_view tool) {
    return fail(make_error(ErrorCode::denied,
                           fmt::format("this needs the tool {}, which you may not call", tool))
                    .next("ask the operator for a token or a toolset that has it"));
}

}  // namespace

Result<Json> call_for(const Asked& asked, Invoker& invoker, std::string_view tool,
                      const Json& arguments) {
    if (!asked.client.may_call(tool)) return denied(tool);
    return invoker.invoke(tool, arguments, asked.call);
}

bool may_see_warnings(const Asked& asked) {
    return asked.client.may_call("warning_list") || asked.client.may_call("system_info");
}

Result<Json> warnings_for(const Asked& asked, Invoker& invoker, bool acknowledged) {
    if (!may_see_warnings(asked)) return denied("warning_list");
    return invoker.invoke(
        "warning_list",
        {{"acknowledged", acknowledged}, {"limit", warnings_max}, {"response_format", "detailed"}},
        asked.call);
}

Result<Json> warning_for(const Asked& asked, Invoker& invoker, const std::string& id) {
    if (!may_see_warnings(asked)) return denied("warning_get");
    return invoker.invoke("warning_get", {{"id", id}}, asked.call);
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
