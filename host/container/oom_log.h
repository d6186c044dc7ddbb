// SPDX-License-Identifier: Apache-2.0
// What the kernel logs when it kills a process for want of memory: bytes in, values out. A part of
// it, the process' name, was chosen by whoever ran in the container.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::container {

struct OomKill {
    std::string process;        // at most 15 bytes as the kernel keeps it; unprintable ones as \xNN
    uid_t uid = 0;              // the host's number of its user, the kernel's word
    bool of_own_limit = false;  // of the container's; or the host itself had no more
};

/// Where a record stands in the kernel's log.
struct LogPlace {
    std::uint64_t sequence = 0;              // counts from the boot on
    std::chrono::microseconds since_boot{};  // about: the kernel's log has a clock of its own
};

/// Nothing for what is no record.
[[nodiscard]] std::optional<LogPlace> log_place_of(std::string_view record);

/// The kill that a record of /dev/kmsg (Documentation/ABI/testing/dev-kmsg) tells of, if it does.
[[nodiscard]] std::optional<OomKill> oom_kill_of(std::string_view record);

}  // namespace berth::container
