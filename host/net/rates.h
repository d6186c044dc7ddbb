// SPDX-License-Identifier: Apache-2.0
// How fast a container's network card may be: queues of the kernel, set through rtnetlink (tc(8),
// tc-tbf(8), tc-mirred(8)).
#pragma once

#include "tools-schema/contract/result.h"

#include <cstdint>
#include <string>

namespace berth::net {

/// In bytes a second, as whoever has the other end of the pair sees it; 0: as fast as it goes.
struct Rates {
    std::int64_t receive = 0;
    std::int64_t send = 0;

    [[nodiscard]] bool operator==(const Rates&) const = default;
};

/// Slows down what goes through `port`, the host's end of a pair; what exceeds the rate waits for
/// a moment and is then dropped. A queue is only ever for what leaves an interface, so what the
/// other end sends takes a detour through one of ours, `detour`, which is there while `send` is
/// set. Can be repeated, with other rates too.
[[nodiscard]] Result<> limit_rates(const std::string& port, const std::string& detour,
                                   const Rates& rates);

/// Whether this kernel has what that needs; found out by doing it, on a link made for that.
[[nodiscard]] bool can_limit_rates();

}  // namespace berth::net
