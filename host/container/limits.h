// SPDX-License-Identifier: Apache-2.0
// A container's limits between the store, which keeps them, and the engine, which holds it to them.
#pragma once

#include "host/engine/container_engine.h"
#include "host/store/containers.h"

#include <cstdint>
#include <optional>

namespace berth::container {

/// What is to be different; what is absent stays.
struct LimitsWish {
    std::optional<std::int64_t> memory_bytes = {};
    std::optional<std::int64_t> cpu_percent = {};
    std::optional<std::int64_t> processes = {};
    std::optional<std::int64_t> swap_bytes = {};
    std::optional<std::int64_t> disk_bytes = {};
    std::optional<std::int64_t> io_bytes_per_second = {};
    std::optional<std::int64_t> io_operations_per_second = {};
    std::optional<std::int64_t> receive_bytes_per_second = {};
    std::optional<std::int64_t> send_bytes_per_second = {};
};

[[nodiscard]] engine::Limits limits_of(const store::Container& row);
[[nodiscard]] store::Limits to_store(const engine::Limits& limits);
[[nodiscard]] store::Limits changed_by(const LimitsWish& wish, store::Limits limits);

/// invalid_argument, at its field, for a limit that is so small that nothing could live with it.
[[nodiscard]] Result<> check_sizes(const engine::Limits& limits);

}  // namespace berth::container
