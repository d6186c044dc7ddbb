// SPDX-License-Identifier: Apache-2.0
// Notices when somebody else changes our table, as `nft flush ruleset` does: without its chains
// containers would reach the host's loopback, and nobody would know.
#pragma once

#include "base/fd.h"
#include "host/net/netlink_socket.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>

namespace berth::net {

/// Between two checks, whatever is notified meanwhile.
inline constexpr auto check_pause = std::chrono::milliseconds(100);
/// Until a table that could not be put right is tried again.
inline constexpr auto check_retry = std::chrono::seconds(5);

class TableWatch {
public:
    /// Puts right what is not; false when that failed.
    using Check = std::function<bool()>;

    /// Calls `check` soon, and then whenever our table may have changed, also by ourselves: from a
    /// thread of its own. unavailable where the kernel does not tell of changes.
    [[nodiscard]] static Result<std::unique_ptr<TableWatch>> start(Check check);
    TableWatch(const TableWatch&) = delete;
    TableWatch& operator=(const TableWatch&) = delete;
    ~TableWatch();

private:
    TableWatch(Check check, NetlinkSocket notifications, Fd wake)
        : check_(std::move(check)),
          notifications_(std::move(notifications)),
          wake_(std::move(wake)) {}
    void run(const std::stop_token& stopping);
    /// Whether one of the notifications that are there may be about our table.
    [[nodiscard]] bool read_all();

    Check check_;
    NetlinkSocket notifications_;
    Fd wake_;
    std::jthread thread_;
};

}  // namespace berth::net
