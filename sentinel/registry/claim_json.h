// SPDX-License-Identifier: Apache-2.0
// How hosts register over HTTP: the body of their request, and what is told of registrations.
#pragma once

#include "sentinel/registry/members.h"
#include "tools-schema/contract/json.h"

#include <optional>
#include <string>
#include <string_view>

namespace berth::sentinel {

constexpr std::size_t claim_body_bytes_max = std::size_t{256} * 1024;

/// Reads {pool, hostname, aliases?, base_domains?, ip?, port, backend_id?, generation?}. Without an
/// `ip` the primary is at `source`. Addresses that mean another machine to whoever hears of them
/// (loopback, link-local, multicast, 0.0.0.0) are taken from a source that is of this machine only.
[[nodiscard]] Result<Claim> parse_claim(std::string_view body,
                                        const std::optional<SocketAddress>& source);

/// What the data path has shown of a registration.
struct Health {
    bool healthy = true;
    std::string reason = {};  // "" when it is
};

enum class Dialect { berth, containarium };

/// Of Containarium exactly its fields; of ours those and more.
[[nodiscard]] Json primary_json(const Registration& registration, const Health& health,
                                Dialect dialect);
[[nodiscard]] Json peer_json(const Registration& registration, const Health& health,
                             Dialect dialect);

}  // namespace berth::sentinel
