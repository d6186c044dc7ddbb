// SPDX-License-Identifier: Apache-2.0
// What became of connections, counted.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace berth::sentinel {

enum class Count : std::uint8_t {
    accepted,
    routed,
    routed_by_default,
    ssh,  // no TLS, and led to where SSH goes
    unknown_name,
    no_name,
    bad_name,
    malformed,
    not_tls,
    left_early,  // the client ended before its hello was whole
    hello_timeout,
    hello_refused,  // too many wait already
    no_descriptor,
    primary_down,      // and the client was told by an alert
    destination_full,  // and the client was told by an alert
    tunnel_full,       // of streams, and the client was told by an alert
    page_shown,        // as primary_down, and by a page of the pool's
    tunnel,            // no client, but a host that opens one
    tunnel_refused,    // the same, and there was no place for its hello
    reset,
    ended,
};

constexpr std::array<std::string_view, 21> count_names = {
    "accepted",      "routed",       "routed_by_default", "ssh",
    "unknown_name",  "no_name",      "bad_name",          "malformed",
    "not_tls",       "left_early",   "hello_timeout",     "hello_refused",
    "no_descriptor", "primary_down", "destination_full",  "tunnel_full",
    "page_shown",    "tunnel",       "tunnel_refused",    "reset",
    "ended"};

/// Of any thread; each loop has its own, so that they do not wait for each other.
class Counters {
public:
    void add(Count what) noexcept {
        counts_[static_cast<std::size_t>(what)].fetch_add(1, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t get(Count what) const noexcept {
        return counts_[static_cast<std::size_t>(what)].load(std::memory_order_relaxed);
    }

private:
    std::array<std::atomic<std::uint64_t>, count_names.size()> counts_ = {};
};

}  // namespace berth::sentinel
