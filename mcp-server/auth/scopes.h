// SPDX-License-Identifier: Apache-2.0
// What a scope is and which of them covers which. A tool names one, like "container.write"; a
// caller is granted some, which may also be "container.*", "*.read" or "*".
#pragma once

#include "tools-schema/contract/result.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::auth {

/// A caller with more is refused; the longest a scope may be.
inline constexpr std::size_t scopes_max = 64;
inline constexpr std::size_t scope_bytes_max = 128;

/// A token of RFC 6749 section 3.3 that is not too long: it can stand in a header as it is.
[[nodiscard]] bool is_scope(std::string_view text);

/// True when one of the granted scopes is the needed one or covers it.
[[nodiscard]] bool grants(std::span<const std::string> granted, std::string_view needed);

/// Every scope that a tool needs, once, in alphabetical order.
[[nodiscard]] const std::vector<std::string>& catalogue_scopes();

/// invalid_argument, naming the nearest, for a scope that covers no tool there is.
[[nodiscard]] Result<> check_scope(std::string_view scope);

}  // namespace berth::auth
