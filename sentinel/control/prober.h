// SPDX-License-Identifier: Apache-2.0
// Finds out whether registered hosts answer: each is sent a ClientHello for its own name, by the
// way that clients take. A host that accepts and says nothing is no healthy one.
#pragma once

#include "sentinel/access/path_reports.h"
#include "sentinel/registry/claim_json.h"
#include "sentinel/registry/members.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace berth::sentinel {

/// So many are asked at a time.
constexpr std::size_t probes_max = 512;

struct ProberOptions {
    std::chrono::milliseconds interval{5'000};
    SocketAddress front = {};  // where hosts behind tunnels are reached; port 0: nowhere
    PoolSettings pools = {};
};

class Prober {
public:
    /// `members` and `reports` outlive it.
    Prober(const Members& members, PathReports& reports, ProberOptions options);
    Prober(const Prober&) = delete;
    Prober& operator=(const Prober&) = delete;
    ~Prober();

    /// What the last probe found, and what clients' connections have since. Of a host that nobody
    /// has asked yet, and of a static pool, what those have alone. From any thread.
    [[nodiscard]] Health health(std::uint64_t registration) const;

private:
    void run(const std::stop_token& stop);
    void look_at_all(const std::stop_token& stop);

    struct Finding {
        Health health = {};
        std::chrono::steady_clock::time_point begun = {};
    };

    const Members& members_;
    PathReports& reports_;
    const ProberOptions options_;
    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    std::map<std::uint64_t, Finding> known_;  // by registration
    std::jthread thread_;
};

}  // namespace berth::sentinel
