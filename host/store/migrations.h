// SPDX-License-Identifier: Apache-2.0
// The schema, as numbered steps that only go forward. A step that has been released never changes.
#pragma once

#include <span>
#include <string_view>

namespace berth::store {

/// Step n brings a database from version n to n + 1.
[[nodiscard]] std::span<const std::string_view> migrations();

}  // namespace berth::store
