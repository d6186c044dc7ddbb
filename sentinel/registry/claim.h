// SPDX-License-Identifier: Apache-2.0
// What a host asks for when it registers, and whether that makes sense by itself.
#pragma once

#include "sentinel/route/pool.h"
#include "tools-schema/contract/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::sentinel {

/// Until when a registration holds. It is said by who registers, and never guessed.
enum class Lease : std::uint8_t {
    ttl,      // so long after its last beat
    session,  // as long as the tunnel it came through
};

constexpr std::size_t names_per_claim_max = 1'000;
constexpr std::size_t host_id_bytes_max = 128;

struct Claim {
    std::string pool = {};      // "": none, and then no names either
    std::string host = {};      // its id within the pool
    std::string hostname = {};  // "": none, and then no other names either
    std::vector<std::string> aliases = {};
    /// Of two labels or more: all names below them, and not they.
    std::vector<std::string> base_domains = {};
    Destination destination = {};
    std::vector<std::uint16_t> ports = {};  // that can be reached, for whoever asks
    Lease lease = Lease::ttl;
    std::uint64_t generation = 0;  // one below what this host is registered with is refused
    std::string identity = {};     // Identity::id of who asks
    std::string backend_id = {};   // what a client calls itself besides; kept and told
};

/// A name of a claim, as a key of the route table, and the field it was in.
struct ClaimedName {
    std::string key;
    std::string pointer;
};

/// 1 to 128 of letters, digits, '.', '_', ':' and '-', beginning with a letter or a digit.
[[nodiscard]] bool is_host_id(std::string_view text);

/// "*.example.com" for ".example.com": how people write a key of the route table.
[[nodiscard]] std::string pattern_of(std::string_view key);

/// The keys of a claim that has been normalised.
[[nodiscard]] std::vector<std::string> keys_of(const Claim& claim);

/// Checks a claim and writes its names as they are routed; each comes once, however often it is
/// there. invalid_argument names the field.
[[nodiscard]] Result<std::vector<ClaimedName>> normalise(Claim& claim);

}  // namespace berth::sentinel
