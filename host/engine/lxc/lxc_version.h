// SPDX-License-Identifier: Apache-2.0
// Which versions of liblxc berth should not run on, and why.
#pragma once

#include <optional>
#include <string_view>

namespace berth::engine {

/// What speaks against that version ("5.0.2", "6.0.0-devel"), if anything does.
[[nodiscard]] std::optional<std::string_view> trouble_with_lxc(std::string_view version);

}  // namespace berth::engine
