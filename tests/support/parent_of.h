// SPDX-License-Identifier: Apache-2.0
// A process's parent: that of a command's supervisor is the helper which started it.
#pragma once

#include "base/files.h"
#include "tests/support/catch.h"

#include <fmt/format.h>
#include <sys/types.h>

#include <charconv>
#include <string>
#include <string_view>

namespace berth {

inline pid_t parent_of(pid_t process) {
    const auto status = read_file(fmt::format("/proc/{}/status", process)).value_or("");
    constexpr std::string_view before = "\nPPid:\t";
    const auto at = status.find(before);
    REQUIRE(at != std::string::npos);
    pid_t parent = 0;
    (void)std::from_chars(status.data() + at + before.size(), status.data() + status.size(),
                          parent);
    REQUIRE(parent > 1);
    return parent;
}

}  // namespace berth
