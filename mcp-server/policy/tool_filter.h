// SPDX-License-Identifier: Apache-2.0
// Which tools of the catalogue there are for somebody: a set that can only become smaller.
#pragma once

#include "mcp-server/auth/authenticator.h"
#include "mcp-server/policy/filter_wish.h"
#include "tools-schema/contract/result.h"
#include "tools-schema/registry/tool_spec.h"

#include <bitset>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::policy {

/// More tools than this are a mistake of ours, which a test notices.
inline constexpr std::size_t catalogue_tools_max = 256;

/// Equal filters allow the same tools, so that what was listed for one is good for the other.
class ToolFilter {
public:
    using Set = std::bitset<catalogue_tools_max>;

    /// Every tool there is; "default" means all of them too.
    [[nodiscard]] static ToolFilter everything();

    /// What a server offers: its operator's wish, where no opinion means the default toolsets (when
    /// there are none, the tools that say so of themselves). invalid_argument for a name that is
    /// none, with the nearest one.
    [[nodiscard]] static Result<ToolFilter> of(
        const FilterWish& wish, const std::vector<std::string>& default_toolsets = {});

    /// What is left when somebody else's wish is honoured too. A tool that is known and not there
    /// any more is no error.
    [[nodiscard]] Result<ToolFilter> narrowed(const FilterWish& wish) const;

    /// What is left for a caller by its scopes.
    [[nodiscard]] ToolFilter narrowed_to_scopes(const auth::Caller& caller) const;

    /// False for a name that is no tool.
    [[nodiscard]] bool allows(std::string_view tool) const;
    [[nodiscard]] std::size_t count() const { return allowed_.count(); }
    [[nodiscard]] std::size_t hash() const { return std::hash<Set>()(allowed_); }
    bool operator==(const ToolFilter& other) const { return allowed_ == other.allowed_; }

private:
    ToolFilter(const Set& allowed, const Set& defaults) : allowed_(allowed), defaults_(defaults) {}

    Set allowed_;
    Set defaults_;  // what "default" means
};

/// The toolsets of the catalogue, in alphabetical order.
[[nodiscard]] std::vector<std::string> toolset_names();

}  // namespace berth::policy

template <>
struct std::hash<berth::policy::ToolFilter> {
    std::size_t operator()(const berth::policy::ToolFilter& filter) const noexcept {
        return filter.hash();
    }
};
