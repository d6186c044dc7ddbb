// SPDX-License-Identifier: Apache-2.0
// What the kernel's table is now, read by netlink: whoever wrote it can tell whether it still is
// what was written. How it should be is firewall.h's.
#pragma once

#include "host/net/firewall.h"

#include <libmnl/libmnl.h>

#include <cstdint>
#include <string>
#include <vector>

namespace berth::net {

struct TableState {
    std::uint16_t generation = 0;  // of all tables; each change of anybody's makes it one more
    std::string rules = {};        // chains and rules, in the kernel's bytes; "" without a table
    std::vector<Forward> forwards = {};
};

/// All of it as it was at one moment. unavailable when it is changed faster than it can be read.
[[nodiscard]] Result<TableState> read_table();

/// Whether a message of nfnetlink's, an answer or a notification, is about our table.
[[nodiscard]] bool is_about_table(const nlmsghdr* message);

}  // namespace berth::net
