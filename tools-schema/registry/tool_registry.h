// SPDX-License-Identifier: Apache-2.0
// Binds typed handlers to declared tools: decoding before, encoding after, and nothing about JSON
// in the handler. A handler of the wrong shape does not compile.
#pragma once

#include "tools-schema/registry/invoker.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

class ToolRegistry final : public Invoker {
public:
    /// Tool is a struct that toolgen made: Tool::Input, Tool::Output, Tool::name, Tool::decode and
    /// Tool::encode.
    template <class Tool, class Handler>
        requires std::is_invocable_r_v<Result<typename Tool::Output>, Handler,
                                       const typename Tool::Input&, const Call&>
    void bind(Handler handler) {
        bound_[std::string(Tool::name)] = [handler = std::move(handler)](
                                              const Json& arguments,
                                              const Call& call) -> Result<Json> {
            const auto input = BERTH_TRY(Tool::decode(arguments));
            return Tool::encode(BERTH_TRY(handler(input, call)));
        };
    }

    /// not_found for a name nobody bound, with the nearest one in the hint. An exception that
    /// escapes a handler is a bug of ours and becomes `internal`.
    [[nodiscard]] Result<Json> invoke(std::string_view tool, const Json& arguments,
                                      const Call& call) override;

    [[nodiscard]] std::vector<std::string> names() const;

private:
    std::map<std::string, std::function<Result<Json>(const Json&, const Call&)>, std::less<>>
        bound_;
};

}  // namespace berth
