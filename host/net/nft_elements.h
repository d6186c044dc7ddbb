// SPDX-License-Identifier: Apache-2.0
// Single forwards in and out of the kernel's map, by netlink messages of our own: no process is
// started, and nothing but these elements is touched. The table itself, with its map and rules, is
// always written as a whole by firewall.h; what stands here relies on its names and types alone.
#pragma once

#include "host/net/firewall.h"

#include <cstddef>
#include <span>
#include <vector>

namespace berth::net {

struct MapChange {
    std::vector<Forward> removed;
    std::vector<Forward> added;

    [[nodiscard]] std::size_t size() const { return removed.size() + added.size(); }
};

/// Elements in one change; whoever has more to change writes the whole table.
inline constexpr std::size_t map_change_elements_max = 256;

/// What leads from one set of forwards to the other. A forward with a new goal is removed and
/// added.
[[nodiscard]] MapChange difference(const std::vector<Forward>& before,
                                   const std::vector<Forward>& after);

/// The change as the bytes of one netlink batch, which the kernel does as a whole or not at all.
/// invalid_argument for what is no forward, or for more than the kernel is asked at once.
[[nodiscard]] Result<std::vector<char>> element_batch(const MapChange& change);

/// What the kernel has answered to a batch so far.
struct BatchAnswers {
    std::size_t acknowledged = 0;
    int error = 0;  // the first errno, or 0
};

/// Adds the answers in `bytes`, as received in one go; unavailable for what is no netlink answer.
[[nodiscard]] Result<> read_answers(std::span<const char> bytes, BatchAnswers& answers);

/// Has the kernel do it. unavailable when it refuses, for instance because the table or an element
/// is not what we take it for; then nothing has changed.
[[nodiscard]] Result<> change_elements(const MapChange& change);

}  // namespace berth::net
