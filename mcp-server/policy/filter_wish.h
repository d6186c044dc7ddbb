// SPDX-License-Identifier: Apache-2.0
// Which tools somebody wants: the operator by configuration, a client by headers. Names are not
// looked at here; ToolFilter knows what there is.
#pragma once

#include "base/http_message.h"
#include "tools-schema/contract/result.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::policy {

inline constexpr const char* toolsets_header = "x-mcp-toolsets";
inline constexpr const char* tools_header = "x-mcp-tools";
inline constexpr const char* exclude_tools_header = "x-mcp-exclude-tools";
inline constexpr const char* read_only_header = "x-mcp-readonly";
/// One list may name so many.
inline constexpr std::size_t wished_names_max = 256;

struct FilterWish {
    /// Toolsets by name, or "all", or "default". Nothing: no opinion.
    std::optional<std::vector<std::string>> toolsets = {};
    /// Single tools, besides those of the toolsets. With tools alone, these and no others.
    std::optional<std::vector<std::string>> tools = {};
    /// Taken away at the end.
    std::vector<std::string> exclude_tools = {};
    /// Only tools that change nothing, whatever else was asked for.
    bool read_only = false;

    bool operator==(const FilterWish&) const = default;
    [[nodiscard]] bool empty() const { return *this == FilterWish{}; }
};

/// "a, b" as names; empty ones are skipped. invalid_argument for more than wished_names_max.
[[nodiscard]] Result<std::vector<std::string>> split_names(std::string_view text);

/// What a request's headers ask for. A header that is blank is as one that is not there.
/// invalid_argument, with the header as its field, for a value that cannot be read.
[[nodiscard]] Result<FilterWish> wish_of(const HttpHeaders& headers);

}  // namespace berth::policy
