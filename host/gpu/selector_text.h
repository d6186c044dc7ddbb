// SPDX-License-Identifier: Apache-2.0
// A selector as it is written, in its parts. Pure: no inventory, no I/O.
#pragma once

#include "host/gpu/gpu.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace berth::gpu {

/// "0b:00.0" has no domain.
struct ByAddress {
    std::optional<std::uint16_t> domain;
    PciAddress address;  // with domain 0 when none was told
    std::optional<std::pair<int, int>> mig;
};
struct ByIndex {
    std::size_t index;
};
/// In lower case behind its prefix: "GPU-…", "MIG-…".
struct ByUuid {
    std::string uuid;
    std::optional<std::pair<int, int>> mig;  // of "MIG-GPU-…/1/0", the form of drivers before 470
};

enum class Relation : std::uint8_t { equal, contains, at_least, more, at_most, less };

struct Condition {
    std::string key;  // "vendor", "model", "memory", "driver" or "numa"
    Relation relation = Relation::equal;
    std::string text;         // the value, in lower case
    std::int64_t number = 0;  // and as bytes or a number where it is one
};
struct ByConditions {
    std::vector<Condition> conditions;
    std::size_t count = 1;
};

using Selector = std::variant<ByAddress, ByIndex, ByUuid, ByConditions>;

/// invalid_argument with what is wrong and what would be right.
[[nodiscard]] Result<Selector> parse_selector(std::string_view text);

}  // namespace berth::gpu
