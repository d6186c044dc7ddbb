// SPDX-License-Identifier: Apache-2.0
// Tool calls that a resource, a prompt or a completion makes for a client: never one that the
// client may not make itself.
#pragma once

#include "mcp-server/protocol/offer.h"
#include "tools-schema/registry/invoker.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace berth::mcp {

/// The invoker runs the tool; `denied` when the client may not call it.
[[nodiscard]] Result<Json> call_for(const Asked& asked, Invoker& invoker, std::string_view tool,
                                    const Json& arguments);

/// Warnings are for whoever may call system_info too, which is offered by default: what is wrong
/// with a host is a part of what it is.
[[nodiscard]] bool may_see_warnings(const Asked& asked);
/// All of them in full, as warning_list answers.
[[nodiscard]] Result<Json> warnings_for(const Asked& asked, Invoker& invoker, bool acknowledged);
/// One of them, as warning_get answers.
[[nodiscard]] Result<Json> warning_for(const Asked& asked, Invoker& invoker, const std::string& id);

struct ContainerPage {
    std::vector<std::string> names = {};  // by name
    bool more = false;
};

/// The names after `after` ("": from the first), at most `limit`.
[[nodiscard]] Result<ContainerPage> container_names(const Asked& asked, Invoker& invoker,
                                                    const std::string& after, std::size_t limit);

/// A string member of an object; "" when there is none.
[[nodiscard]] std::string text_member(const Json& object, const char* key);

}  // namespace berth::mcp
