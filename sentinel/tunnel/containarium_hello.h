// SPDX-License-Identifier: Apache-2.0
// What hosts of Containarium 0.16 and 0.17 say first, in clear, and the answers they know: one line
// of JSON each way.
#pragma once

#include "tunnel/hello.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace berth::sentinel {

constexpr std::size_t containarium_hello_bytes_max = 4096;

/// As tunnel::read_hello. The complaints are in the words that those hosts' people know.
[[nodiscard]] Result<std::optional<tunnel::Arrived<tunnel::Hello>>> read_containarium_hello(
    std::string_view bytes);

/// Byte for byte as Go's encoding/json writes it.
[[nodiscard]] std::string containarium_answer(const std::optional<Error>& refused);

}  // namespace berth::sentinel
