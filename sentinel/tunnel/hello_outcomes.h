// SPDX-License-Identifier: Apache-2.0
// What became of hosts that wanted to open a tunnel, counted.
#pragma once

#include "tools-schema/contract/result.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace berth::sentinel {

enum class HelloOutcome : std::uint8_t {
    opened,
    source_full,  // too many from its network have not said theirs
    crowded_out,  // in all too many, and it was the oldest
    no_place,     // too many sessions, or nobody to take it
    timeout,
    left_early,  // it ended before its hello was whole
    tls,         // no agreement on TLS
    malformed,
    denied,    // token, certificate, or pool
    conflict,  // a name that is another's
    refused,   // for any other reason
};

constexpr std::array<std::string_view, 11> hello_outcome_names = {
    "opened", "source_full", "crowded_out", "no_place", "timeout", "left_early",
    "tls",    "malformed",   "denied",      "conflict", "refused"};

[[nodiscard]] constexpr HelloOutcome outcome_of(const Error& refusal) {
    if (refusal.code == ErrorCode::invalid_argument) return HelloOutcome::malformed;
    if (refusal.code == ErrorCode::denied) return HelloOutcome::denied;
    if (refusal.code == ErrorCode::already_exists) return HelloOutcome::conflict;
    return HelloOutcome::refused;
}

/// Written and read by any thread.
class HelloOutcomes {
public:
    void add(HelloOutcome what) noexcept {
        counts_[static_cast<std::size_t>(what)].fetch_add(1, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t get(HelloOutcome what) const noexcept {
        return counts_[static_cast<std::size_t>(what)].load(std::memory_order_relaxed);
    }

private:
    std::array<std::atomic<std::uint64_t>, hello_outcome_names.size()> counts_ = {};
};

}  // namespace berth::sentinel
