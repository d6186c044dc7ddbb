// SPDX-License-Identifier: Apache-2.0
// Moves bytes from one socket to the other: small amounts through one buffer of the loop, bulk
// through a pipe by splice(2). What cannot be written is kept, and nothing more is read until it is
// gone, so that a slow receiver slows its sender down.
#pragma once

#include "sentinel/relay/connection.h"
#include "sentinel/relay/pipe_pool.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace berth::sentinel {

/// Whether the last call on a non-blocking socket had nothing to do.
[[nodiscard]] inline bool would_block() {
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

enum class Progress : std::uint8_t {
    waiting,  // for a socket
    again,    // there is more to do than one turn's work
    failed,   // one of the two was reset
};

/// Which way bytes go.
enum class Flow : std::uint8_t { from_client, to_client };

class Transfer {
public:
    static constexpr std::size_t buffer_bytes = std::size_t{64} * 1024;
    /// Reads in one turn, so that no connection keeps a loop from the others.
    static constexpr int reads_per_turn = 16;
    /// Reads that filled the buffer, after which a pipe is worth its system calls.
    static constexpr std::uint8_t full_reads_before_pipe = 2;
    /// Fewer bytes than that through a pipe are no bulk.
    static constexpr long bulk_bytes_min = 4096;
    /// Who takes less than one pipe in a second needs none.
    static constexpr std::int64_t loan_ms = 1000;
    static constexpr std::uint32_t loan_bytes_min = PipePool::pipe_bytes;

    explicit Transfer(std::size_t pipes_max)
        : pipes_(pipes_max), buffer_(std::make_unique<std::array<char, buffer_bytes>>()) {}

    /// Does one turn of one direction, up to passing on the end of `from`.
    [[nodiscard]] Progress carry(Connection& connection, Side& from, Side& to);
    /// Sends bytes to a side that is owed nothing, and keeps what it does not take; false when it
    /// was reset.
    [[nodiscard]] static bool send_or_keep(Side& to, std::string_view bytes);
    /// Looks at the pipes of a connection, a second after the last time: from a receiver that has
    /// taken little meanwhile the pipe is taken, and what is in it kept, so that who does not read
    /// keeps no pipe from others. Whether one is still lent with bytes in it.
    [[nodiscard]] bool reclaim(Connection& connection);
    /// Takes away what is on its way to a side.
    void drop(Side& to);
    /// How many bytes it took from sockets to send them on; from any thread.
    [[nodiscard]] std::uint64_t bytes(Flow flow) const noexcept {
        return bytes_[static_cast<std::size_t>(flow)].load(std::memory_order_relaxed);
    }
    /// Counts bytes that were taken elsewhere.
    void add_bytes(Flow flow, std::size_t count) noexcept {
        auto& sum = bytes_[static_cast<std::size_t>(flow)];
        sum.store(sum.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
    }
    /// Anybody's, between two calls.
    [[nodiscard]] std::span<char> buffer() noexcept { return *buffer_; }

private:
    enum class Flushed : std::uint8_t { all, blocked, failed };
    [[nodiscard]] static Flushed flush(Side& to);
    [[nodiscard]] bool take_once(Side& from, Side& to);
    [[nodiscard]] bool read_once(Side& from, Side& to);
    [[nodiscard]] bool splice_once(Side& from, Side& to);
    void put_pipe_away(Side& to);
    void empty_pipe(Side& to);

    PipePool pipes_;
    std::array<std::atomic<std::uint64_t>, 2> bytes_ = {};
    Flow flow_ = Flow::from_client;  // that is being carried
    std::unique_ptr<std::array<char, buffer_bytes>> buffer_;
};

}  // namespace berth::sentinel
