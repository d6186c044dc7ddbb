// SPDX-License-Identifier: Apache-2.0
// A client that a tunnel carries: its loop has given it away, and is told here what became of it.
#pragma once

#include "sentinel/access/access_log.h"
#include "sentinel/access/path_reports.h"
#include "sentinel/relay/counters.h"
#include "tunnel/carry/visitor.h"

#include <cstdint>

namespace berth::sentinel {

class TunnelledClient final : public tunnel::StreamWatcher {
public:
    /// All outlive it. Without a log nothing is written, without reports nobody hears.
    TunnelledClient(Counters& counters, AccessLog* log, PathReports* reports)
        : counters_(counters), log_(log), reports_(reports) {}

    void heard() override;
    void over(const tunnel::StreamEnd& end) override;

    std::uint64_t registration = 0;  // of the host behind the tunnel
    std::int64_t begun_ms = 0;
    Access line = {};  // what is known of it already

private:
    Counters& counters_;
    AccessLog* const log_;
    PathReports* const reports_;
};

}  // namespace berth::sentinel
