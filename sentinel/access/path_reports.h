// SPDX-License-Identifier: Apache-2.0
// What clients' connections tell of the hosts that they were led to: trouble, until one goes well.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace berth::sentinel {

/// All of it may be called from any thread. Reports do not wait: one that comes while another is
/// being noted may be left out.
class PathReports {
public:
    using Moment = std::chrono::steady_clock::time_point;
    struct Trouble {
        Moment refused_at = {};  // the last time, if `problem` is
        int problem = 0;         // errno of a host that could not be connected to; 0: none
        std::size_t silent = 0;  // connections that it took, and of which it answered none
        Moment tried_at = {};    // by the last client that was let
        bool off = false;        // nothing comes back from there
    };

    /// So often one client may find out whether a host is still off.
    static constexpr std::chrono::seconds tries_every{1};

    /// It could not be connected to. Only what is the host's own doing counts, and not a want of
    /// the sentinel's.
    void refused(std::uint64_t registration, int problem) noexcept;
    /// It has accepted a connection.
    void accepted(std::uint64_t registration) noexcept;
    /// The errno of a host that is known to be off, and which its clients need not wait for to
    /// learn that again; 0 where there is nothing known, and for one client now and then who has to
    /// try. One that refuses is no such host: it says so at once, and may be back as fast.
    [[nodiscard]] int known_off(std::uint64_t registration,
                                Moment now = std::chrono::steady_clock::now()) noexcept;
    /// Its client gave up before it had said a byte.
    void silent(std::uint64_t registration) noexcept;
    /// It has answered: what was before `since` is over.
    void answered(std::uint64_t registration,
                  Moment since = std::chrono::steady_clock::now()) noexcept;

    [[nodiscard]] Trouble of(std::uint64_t registration) const;
    /// Forgets all others; these are in their order.
    void keep(const std::vector<std::uint64_t>& registrations);

private:
    mutable std::mutex mutex_;
    std::map<std::uint64_t, Trouble> troubles_;
    std::atomic<bool> any_ = false;  // so that where all is well nobody takes the lock
};

}  // namespace berth::sentinel
