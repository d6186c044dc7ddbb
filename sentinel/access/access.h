// SPDX-License-Identifier: Apache-2.0
// What the access log tells of a connection that is over, or of a hello that was refused.
#pragma once

#include "base/socket_address.h"
#include "sentinel/route/pool.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::sentinel {

struct Access {
    std::chrono::system_clock::time_point ended_at = {};
    SocketAddress source = {};     // who connects, as a proxy in front told where there is one
    std::string server_name = {};  // "": none, or none that could be a name
    std::string pool = {};         // "": none
    Destination destination = {};
    std::string_view protocol =
        {};  // where it is not TLS; this and the next two stay where they are
    std::string_view outcome = {};
    std::string_view reason = {};
    std::uint64_t bytes_from_client = 0, bytes_to_client = 0;
    std::int64_t duration_ms = 0;
    std::optional<std::uint64_t> streams = {};  // that a tunnel has had
};

/// One object in one line, with its end. What there is nothing to say of is left out.
[[nodiscard]] std::string access_line(const Access& access);

}  // namespace berth::sentinel
