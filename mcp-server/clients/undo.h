// SPDX-License-Identifier: Apache-2.0
// A change of a text as the one place where it differs: to show it, and to take it back exactly
// even when the text has changed elsewhere since.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace berth::clients {

struct Edit {
    std::string removed;
    std::string inserted;
};

/// What was changed, between the first and the last byte that differ; whole UTF-8 characters.
[[nodiscard]] Edit edit_between(std::string_view before, std::string_view after);

/// The text without the edit; nothing when what was inserted is not in it exactly once.
[[nodiscard]] std::optional<std::string> undone(const Edit& edit, std::string_view text);

/// The change as a unified diff; "" when there is none. "/dev/null" stands for a file that is not
/// there.
[[nodiscard]] std::string unified_diff(std::string_view name_before, std::string_view before,
                                       std::string_view name_after, std::string_view after);

}  // namespace berth::clients
