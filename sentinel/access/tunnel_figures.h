// SPDX-License-Identifier: Apache-2.0
// What tunnels carry and have carried, in numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::sentinel {

struct TunnelFigures {
    std::size_t sessions = 0, streams_open = 0;
    std::uint64_t streams = 0;  // since the start, as all below
    std::uint64_t bytes_from_clients = 0, bytes_to_clients = 0;
    std::uint64_t takeovers = 0;  // sessions that another of the same host has relieved
    std::vector<std::pair<std::string_view, std::uint64_t>> hellos = {};  // by what became of them
};

}  // namespace berth::sentinel
