// SPDX-License-Identifier: Apache-2.0
#include "host/container/limits.h"

#include <fmt/format.h>

#include <string_view>

namespace berth::container {
namespace {

constexpr std::int64_t disk_bytes_min = std::int64_t{16} << 20;  // a journal and some directories
constexpr std::int64_t io_bytes_min = std::int64_t{64} << 10;    // the largest step of a disk
constexpr std::int64_t io_operations_min = 10;
constexpr std::int64_t network_bytes_min = std::int64_t{8} << 10;  // a few packets a second

Result<> check_least(std::string_view field, std::int64_t value, std::int64_t least) {
    if (value == 0 || value >= least) return {};
    return fail(make_error(ErrorCode::invalid_argument,
                           fmt::format("must be 0, for no limit, or at least {}", least))
                    .at(field)
                    .next("ask for more, or leave it out"));
}

}  // namespace

engine::Limits limits_of(const store::Container& row) {
    const auto& limits = row.limits;
    return {.memory_bytes = limits.memory_bytes,
            .cpu_percent = limits.cpu_percent,
            .processes = limits.processes,
            .swap_bytes = limits.swap_bytes,
            .disk_bytes = limits.disk_bytes,
            .io_bytes_per_second = limits.io_bytes_per_second,
            .io_operations_per_second = limits.io_operations_per_second,
            .receive_bytes_per_second = limits.receive_bytes_per_second,
            .send_bytes_per_second = limits.send_bytes_per_second};
}

store::Limits to_store(const engine::Limits& limits) {
    return {.memory_bytes = limits.memory_bytes,
            .cpu_percent = limits.cpu_percent,
            .processes = limits.processes,
            .swap_bytes = limits.swap_bytes,
            .disk_bytes = limits.disk_bytes,
            .io_bytes_per_second = limits.io_bytes_per_second,
            .io_operations_per_second = limits.io_operations_per_second,
            .receive_bytes_per_second = limits.receive_bytes_per_second,
            .send_bytes_per_second = limits.send_bytes_per_second};
}

store::Limits changed_by(const LimitsWish& wish, store::Limits limits) {
    const auto change = [](std::int64_t& limit, const std::optional<std::int64_t>& wanted) {
        limit = wanted.value_or(limit);
    };
    change(limits.memory_bytes, wish.memory_bytes);
    change(limits.cpu_percent, wish.cpu_percent);
    change(limits.processes, wish.processes);
    change(limits.swap_bytes, wish.swap_bytes);
    change(limits.disk_bytes, wish.disk_bytes);
    change(limits.io_bytes_per_second, wish.io_bytes_per_second);
    change(limits.io_operations_per_second, wish.io_operations_per_second);
    change(limits.receive_bytes_per_second, wish.receive_bytes_per_second);
    change(limits.send_bytes_per_second, wish.send_bytes_per_second);
    return limits;
}

Result<> check_sizes(const engine::Limits& limits) {
    BERTH_TRY(check_least("/disk_bytes", limits.disk_bytes, disk_bytes_min));
    BERTH_TRY(check_least("/io_bytes_per_second", limits.io_bytes_per_second, io_bytes_min));
    BERTH_TRY(check_least("/io_operations_per_second", limits.io_operations_per_second,
                          io_operations_min));
    BERTH_TRY(check_least("/receive_bytes_per_second", limits.receive_bytes_per_second,
                          network_bytes_min));
    return check_least("/send_bytes_per_second", limits.send_bytes_per_second, network_bytes_min);
}

}  // namespace berth::container
