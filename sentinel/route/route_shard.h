// SPDX-License-Identifier: Apache-2.0
// A few routes in one piece of memory that never changes: what a route table swaps when one of them
// does.
#pragma once

#include "sentinel/route/pool.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace berth::sentinel {

/// One name of a shard. `tag` is 16 bits of the name's hash, so that looking for a name compares
/// hardly any other.
struct RouteEntry {
    std::string_view name;
    std::uint16_t tag = 0;
    const Pool* pool = nullptr;
};

/// Pools, then tags, then where names end, then the names: 12 bytes a route, and its name.
class RouteShard {
public:
    static constexpr std::size_t name_bytes_max = 65535;  // of all its names together

    struct Delete {
        void operator()(const RouteShard* shard) const noexcept;
    };
    using Owned = std::unique_ptr<const RouteShard, Delete>;

    RouteShard(const RouteShard&) = delete;
    RouteShard& operator=(const RouteShard&) = delete;

    /// Nothing when the names are too long together.
    [[nodiscard]] static Owned make(std::span<const RouteEntry> entries);

    [[nodiscard]] const Pool* find(std::string_view name, std::uint16_t tag) const noexcept;
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    [[nodiscard]] RouteEntry entry(std::size_t index) const noexcept;
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

private:
    RouteShard(std::size_t count, std::size_t bytes) noexcept
        : count_(static_cast<std::uint32_t>(count)), bytes_(static_cast<std::uint32_t>(bytes)) {}
    ~RouteShard() = default;

    // The arrays behind this object.
    [[nodiscard]] const Pool* const* pools() const noexcept {
        return reinterpret_cast<const Pool* const*>(this + 1);
    }
    [[nodiscard]] const std::uint16_t* tags() const noexcept {
        return reinterpret_cast<const std::uint16_t*>(pools() + count_);
    }
    [[nodiscard]] const std::uint16_t* ends() const noexcept { return tags() + count_; }
    [[nodiscard]] const char* names() const noexcept {
        return reinterpret_cast<const char*>(ends() + count_);
    }
    [[nodiscard]] std::string_view name(std::size_t index) const noexcept {
        const std::size_t begin = index == 0 ? 0 : ends()[index - 1];
        return {names() + begin, ends()[index] - begin};
    }

    std::uint32_t count_;
    std::uint32_t bytes_;
};

}  // namespace berth::sentinel
