// SPDX-License-Identifier: Apache-2.0
// How the sentinel is: for programs, for people, and for Prometheus.
#pragma once

#include "sentinel/access/tunnel_figures.h"
#include "sentinel/registry/claim_json.h"
#include "sentinel/registry/identity.h"
#include "sentinel/registry/warnings.h"
#include "tools-schema/contract/json.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace berth::sentinel {

/// A pool of the file of routes, and what clients' connections have shown of it.
struct StaticPoolStatus {
    std::string pool, destination;
    Health health = {};
};

struct Status {
    std::string version;
    std::string started_at;
    std::vector<std::pair<Registration, Health>> registrations = {};
    std::vector<std::pair<std::string, std::string>> names = {};  // with the pool that owns each
    std::vector<StaticPoolStatus> static_pools = {};
    // Of all pools; for those who may see all.
    bool complete = false;
    std::vector<Warning> warnings = {};
    std::vector<std::pair<std::string, std::uint64_t>> outcomes = {};  // of connections
    std::uint64_t bytes_from_clients = 0, bytes_to_clients = 0;
    std::uint64_t access_written = 0, access_dropped = 0;  // lines of the access log
    std::optional<TunnelFigures> tunnelling = {};          // where tunnels can be opened
    std::size_t open = 0, routes = 0, tunnels = 0;
    std::size_t static_unwatched = 0;  // pools of the file beyond those above
};

/// May be asked from any thread.
class StatusSource {
public:
    StatusSource() = default;
    StatusSource(const StatusSource&) = delete;
    StatusSource& operator=(const StatusSource&) = delete;
    virtual ~StatusSource() = default;
    /// What that identity may see.
    [[nodiscard]] virtual Status look(const Identity& who) = 0;
    [[nodiscard]] virtual Health health(const Registration& registration) = 0;
};

[[nodiscard]] Json status_json(const Status& status);
/// HTML without scripts.
[[nodiscard]] std::string status_page(const Status& status);
/// The text format of Prometheus.
[[nodiscard]] std::string status_metrics(const Status& status);

}  // namespace berth::sentinel
