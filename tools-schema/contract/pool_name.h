// SPDX-License-Identifier: Apache-2.0
// What a pool may be called, by hosts and by the sentinel.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace berth {

constexpr std::size_t pool_name_bytes_max = 63;  // as a label of DNS

/// 1 to 63 of a-z, 0-9 and '-', which neither begins nor ends it.
[[nodiscard]] inline bool is_pool_name(std::string_view text) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    };
    return !text.empty() && text.size() <= pool_name_bytes_max && text.front() != '-' &&
           text.back() != '-' && std::ranges::all_of(text, allowed);
}

}  // namespace berth
