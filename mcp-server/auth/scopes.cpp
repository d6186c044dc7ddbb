// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/scopes.h"

#include "tools-schema/contract/decode.h"
#include "tools-schema/registry/tool_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace berth::auth {
namespace {

bool covers(std::string_view granted, std::string_view needed) {
    if (granted == needed || granted == "*") return true;
    const std::size_t dot = needed.find('.');
    if (dot == std::string_view::npos) return false;
    return (granted.ends_with(".*") &&
            granted.substr(0, granted.size() - 1) == needed.substr(0, dot + 1)) ||
           (granted == "*.read" && needed.substr(dot) == ".read");
}

}  // namespace

bool is_scope(std::string_view text) {
    return !text.empty() && text.size() <= scope_bytes_max && std::ranges::all_of(text, [](char c) {
        return c > ' ' && c <= '~' && c != '"' && c != '\\';
    });
}

bool grants(std::span<const std::string> granted, std::string_view needed) {
    return std::ranges::any_of(granted,
                               [needed](const auto& scope) { return covers(scope, needed); });
}

const std::vector<std::string>& catalogue_scopes() {
    static const std::vector<std::string> scopes = [] {
        std::set<std::string> found;
        for (const ToolSpec& tool : tool_catalogue()) found.emplace(tool.scope);
        return std::vector<std::string>(found.begin(), found.end());
    }();
    return scopes;
}

Result<> check_scope(std::string_view scope) {
    const auto& known = catalogue_scopes();
    if (std::ranges::any_of(known, [scope](const auto& one) { return covers(scope, one); })) {
        return {};
    }
    const std::string meant = nearest(scope, known);
    return fail(
        make_error(ErrorCode::invalid_argument,
                   fmt::format("no tool needs the scope '{}'{}", scope,
                               meant.empty() ? "" : fmt::format("; is it '{}'?", meant)))
            .next(fmt::format("scopes are {}, a family like 'container.*', '*.read' and '*'",
                              fmt::join(known, ", "))));
}

}  // namespace berth::auth
