// SPDX-License-Identifier: Apache-2.0
// Who asks: somebody with a token or a certificate, and the pools that they may speak for.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace berth::sentinel {

struct Identity {
    std::string id;                  // "token:ci", "certificate:edge"; no secret
    std::vector<std::string> pools;  // names, or "*" for all there are and for none

    /// "" is for hosts without a pool, which only "*" has.
    [[nodiscard]] bool may(std::string_view pool) const {
        return std::ranges::any_of(
            pools, [pool](const std::string& one) { return one == "*" || one == pool; });
    }
    [[nodiscard]] bool may_everything() const {
        return std::ranges::find(pools, "*") != pools.end();
    }
};

}  // namespace berth::sentinel
