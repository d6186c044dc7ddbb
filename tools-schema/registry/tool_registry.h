// SPDX-License-Identifier: Apache-2.0
// Binds typed handlers to declared tools: decoding before, encoding after, and nothing about JSON
// in the handler. A handler of the wrong shape does not compile, and neither does a tool that
// changes things without a way to say what it would change.
#pragma once

#include "tools-schema/registry/invoker.h"
#include "tools-schema/registry/runner.h"
#include "tools-schema/registry/shape.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace berth {

/// A struct that toolgen made.
template <class Tool, class Handler>
concept HandlerOf = std::is_invocable_r_v<Result<typename Tool::Output>, const Handler&,
                                          const typename Tool::Input&, const Call&>;
template <class Tool, class Look>
concept PreviewOf =
    std::is_invocable_r_v<Result<Preview>, const Look&, const typename Tool::Input&, const Call&>;

class ToolRegistry final : public Invoker {
public:
    /// `runner` runs what changes things; without one a call runs where it was made. It must
    /// outlive the registry's calls, and the registry the runner's work.
    explicit ToolRegistry(Runner* runner = nullptr) : runner_(runner) {}

    /// A tool that reads only. Its calls never go through the runner.
    template <class Tool, class Handler>
        requires HandlerOf<Tool, Handler>
    void bind(Handler handler) {
        static_assert(Tool::read_only,
                      "a tool that changes things needs a preview: bind<Tool>(handler, preview)");
        bound_[std::string(Tool::name)] = [handler = std::move(handler)](
                                              const Json& arguments,
                                              const Call& call) -> Result<Json> {
            const auto input = BERTH_TRY(Tool::decode(arguments));
            return shaped(Tool::spec(), Tool::encode(BERTH_TRY(handler(input, call))),
                          format_of(input));
        };
    }

    /// A tool that changes things, and how to find out what it would change without doing it. The
    /// preview fails as the call itself would, as far as that can be known.
    template <class Tool, class Handler, class Look>
        requires HandlerOf<Tool, Handler> && PreviewOf<Tool, Look>
    void bind(Handler handler, Look preview) {
        static_assert(!Tool::read_only, "a tool that reads only has nothing to preview");
        const auto act = std::make_shared<const Handler>(std::move(handler));
        const auto look = std::make_shared<const Look>(std::move(preview));
        bound_[std::string(Tool::name)] = [this, act, look](const Json& arguments,
                                                            const Call& call) -> Result<Json> {
            // Shared, because the work may go on when this call has returned with an operation.
            const auto input =
                std::make_shared<const typename Tool::Input>(BERTH_TRY(Tool::decode(arguments)));
            return change(
                Tool::spec(), arguments, call,
                {.common = common_of(*input),
                 .preview = [look, input](const Call& now) { return (*look)(*input, now); },
                 .work = [act, input](const Call& now) -> Result<Json> {
                     return shaped(Tool::spec(), Tool::encode(BERTH_TRY((*act)(*input, now))),
                                   format_of(*input));
                 }});
        };
    }

    /// not_found for a name nobody bound, with the nearest one in the hint. An exception that
    /// escapes a handler is a bug of ours and becomes `internal`.
    [[nodiscard]] Result<Json> invoke(std::string_view tool, const Json& arguments,
                                      const Call& call) override;

    [[nodiscard]] std::vector<std::string> names() const;

private:
    /// A decoded call of a tool that changes things.
    struct Change {
        CommonArguments common;
        std::function<Result<Preview>(const Call&)> preview;
        Runner::Work work;
    };

    [[nodiscard]] Result<Json> change(const ToolSpec& tool, const Json& arguments, const Call& call,
                                      Change change);

    template <class Input>
    [[nodiscard]] static ResponseFormat format_of(const Input& input) {
        if constexpr (requires { input.response_format; }) {
            using Format = std::remove_cvref_t<decltype(input.response_format)>;
            return input.response_format == Format::concise ? ResponseFormat::concise
                                                            : ResponseFormat::detailed;
        }
        return ResponseFormat::detailed;
    }

    template <class Input>
    [[nodiscard]] static CommonArguments common_of(const Input& input) {
        CommonArguments common;
        if constexpr (requires { input.dry_run; }) common.dry_run = input.dry_run;
        if constexpr (requires { input.request_id->to_string(); }) {
            if (input.request_id) common.request_id = input.request_id->to_string();
        }
        if constexpr (requires { input.background; }) common.background = input.background;
        return common;
    }

    Runner* runner_;
    std::map<std::string, std::function<Result<Json>(const Json&, const Call&)>, std::less<>>
        bound_;
};

}  // namespace berth
