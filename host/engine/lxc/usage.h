// SPDX-License-Identifier: Apache-2.0
// What a running container uses, as the kernel counts it.
#pragma once

#include "host/engine/container_engine.h"
#include "host/engine/lxc/cgroups.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace berth::engine {

/// The number behind `key` at the begin of a line, as in "oom_kill 3"; 0 when there is none.
[[nodiscard]] std::int64_t count_of(std::string_view text, std::string_view key);
/// The bytes read from disks and written to them, of blkio.throttle.io_service_bytes (v1) or
/// io.stat (v2).
[[nodiscard]] std::pair<std::int64_t, std::int64_t> disk_bytes_of(std::string_view text);
/// The microseconds for which some process waited, of a file of PSI; nothing when it is none.
[[nodiscard]] std::optional<std::int64_t> waited_us(std::string_view text);

/// Nothing when its group is not there any more. `link` is the host's end of its network card.
[[nodiscard]] std::optional<RunningUse> running_use(const Cgroups& cgroups, std::string_view group,
                                                    const std::string& link);

}  // namespace berth::engine
