// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/policy/tool_filter.h"

#include "tools-schema/contract/decode.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace berth::policy {
namespace {

using Set = ToolFilter::Set;

/// Every tool that the test holds for.
template <class Test>
Set tools_where(Test test) {
    const auto catalogue = tool_catalogue();
    Set set;
    for (std::size_t at = 0; at < std::min(catalogue.size(), catalogue_tools_max); ++at) {
        set.set(at, test(catalogue[at]));
    }
    return set;
}

std::unexpected<Error> unknown(std::string_view kind, const std::string& name,
                               const std::vector<std::string>& known) {
    const std::string meant = nearest(name, known);
    return fail(make_error(ErrorCode::invalid_argument,
                           fmt::format("there is no {} '{}'{}", kind, name,
                                       meant.empty() ? "" : fmt::format("; is it '{}'?", meant)))
                    .next(fmt::format("{}s are {}", kind, fmt::join(known, ", "))));
}

Result<Set> toolsets_set(const std::vector<std::string>& names, const Set& defaults) {
    const auto known = toolset_names();
    Set set;
    for (const std::string& name : names) {
        if (name == "all") {
            set |= tools_where([](const ToolSpec&) { return true; });
        } else if (name == "default") {
            set |= defaults;
        } else if (std::ranges::find(known, name) == known.end()) {
            return unknown("toolset", name, known);
        } else {
            set |= tools_where([&name](const ToolSpec& tool) { return tool.toolset == name; });
        }
    }
    return set;
}

Result<Set> tools_set(const std::vector<std::string>& names) {
    Set set;
    for (const std::string& name : names) {
        if (find_tool(name) == nullptr) {
            std::vector<std::string> known;
            for (const ToolSpec& tool : tool_catalogue()) known.emplace_back(tool.name);
            return unknown("tool", name, known);
        }
        set |= tools_where([&name](const ToolSpec& tool) { return tool.name == name; });
    }
    return set;
}

/// `no_opinion` is what a wish without toolsets and tools stands for.
Result<Set> wished_set(const FilterWish& wish, const Set& no_opinion, const Set& defaults) {
    Set set = wish.toolsets || wish.tools ? Set() : no_opinion;
    if (wish.toolsets) set |= BERTH_TRY(toolsets_set(*wish.toolsets, defaults));
    if (wish.tools) set |= BERTH_TRY(tools_set(*wish.tools));
    set &= ~BERTH_TRY(tools_set(wish.exclude_tools));
    if (wish.read_only) set &= tools_where([](const ToolSpec& tool) { return tool.read_only; });
    return set;
}

}  // namespace

ToolFilter ToolFilter::everything() {
    const Set all = tools_where([](const ToolSpec&) { return true; });
    return {all, all};
}

Result<ToolFilter> ToolFilter::of(const FilterWish& wish,
                                  const std::vector<std::string>& default_toolsets) {
    const Set all = everything().allowed_;
    const Set defaults = default_toolsets.empty()
                             ? tools_where([](const ToolSpec& tool) { return tool.in_default; })
                             : BERTH_TRY(toolsets_set(default_toolsets, all));
    return ToolFilter(BERTH_TRY(wished_set(wish, defaults, defaults)), defaults);
}

Result<ToolFilter> ToolFilter::narrowed(const FilterWish& wish) const {
    return ToolFilter(allowed_ & BERTH_TRY(wished_set(wish, allowed_, defaults_)), defaults_);
}

ToolFilter ToolFilter::narrowed_to_scopes(const auth::Caller& caller) const {
    if (caller.all_scopes) return *this;
    return {allowed_ & tools_where([&](const ToolSpec& tool) { return caller.may(tool.scope); }),
            defaults_};
}

bool ToolFilter::allows(std::string_view tool) const {
    const auto catalogue = tool_catalogue();
    for (std::size_t at = 0; at < std::min(catalogue.size(), catalogue_tools_max); ++at) {
        if (catalogue[at].name == tool) return allowed_.test(at);
    }
    return false;
}

std::vector<std::string> toolset_names() {
    std::set<std::string> names;
    for (const ToolSpec& tool : tool_catalogue()) names.emplace(tool.toolset);
    return {names.begin(), names.end()};
}

}  // namespace berth::policy
