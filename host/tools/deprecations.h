// SPDX-License-Identifier: Apache-2.0
// Remembers which arguments are still used that will go, so that whoever sends them hears of it in
// time: the contract marks them as `deprecated`, and their description says what to use instead.
#pragma once

#include "host/warning/warnings.h"
#include "tools-schema/registry/invoker.h"
#include "tools-schema/registry/tool_spec.h"

#include <functional>
#include <map>
#include <span>
#include <string>

namespace berth::tools {

class Deprecations final : public Invoker {
public:
    /// Calls go on to `invoker`; it and `warnings` must outlive this.
    Deprecations(Invoker& invoker, warning::Warnings& warnings,
                 std::span<const ToolSpec> tools = tool_catalogue());

    /// What was used is told when the call has been accepted.
    [[nodiscard]] Result<Json> invoke(std::string_view tool, const Json& arguments,
                                      const Call& call) override;

private:
    using Instead = std::map<std::string, std::string>;  // by argument

    Invoker& invoker_;
    warning::Warnings& warnings_;
    std::map<std::string, Instead, std::less<>> deprecated_;  // by tool
};

}  // namespace berth::tools
