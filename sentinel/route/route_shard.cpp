// SPDX-License-Identifier: Apache-2.0
#include "sentinel/route/route_shard.h"

#include <algorithm>
#include <new>

namespace berth::sentinel {

void RouteShard::Delete::operator()(const RouteShard* shard) const noexcept {
    ::operator delete(const_cast<RouteShard*>(shard));  // all it holds is plain bytes
}

RouteShard::Owned RouteShard::make(std::span<const RouteEntry> entries) {
    std::size_t name_bytes = 0;
    for (const RouteEntry& entry : entries) name_bytes += entry.name.size();
    if (name_bytes > name_bytes_max) return nullptr;
    const std::size_t bytes = sizeof(RouteShard) +
                              entries.size() * (sizeof(const Pool*) + 2 * sizeof(std::uint16_t)) +
                              name_bytes;
    auto* const shard = ::new (::operator new(bytes)) RouteShard(entries.size(), bytes);
    auto* const pools = const_cast<const Pool**>(shard->pools());
    auto* const tags = const_cast<std::uint16_t*>(shard->tags());
    auto* const ends = const_cast<std::uint16_t*>(shard->ends());
    auto* const names = const_cast<char*>(shard->names());
    std::size_t end = 0;
    for (std::size_t index = 0; index < entries.size(); ++index) {
        const RouteEntry& entry = entries[index];
        std::ranges::copy(entry.name, names + end);
        end += entry.name.size();
        pools[index] = entry.pool;
        tags[index] = entry.tag;
        ends[index] = static_cast<std::uint16_t>(end);
    }
    return Owned(shard);
}

const Pool* RouteShard::find(std::string_view wanted, std::uint16_t tag) const noexcept {
    const std::uint16_t* const all = tags();
    for (std::size_t index = 0; index < count_; ++index) {
        if (all[index] == tag && name(index) == wanted) return pools()[index];
    }
    return nullptr;
}

RouteEntry RouteShard::entry(std::size_t index) const noexcept {
    return {.name = name(index), .tag = tags()[index], .pool = pools()[index]};
}

}  // namespace berth::sentinel
