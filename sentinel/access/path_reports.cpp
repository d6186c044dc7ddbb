// SPDX-License-Identifier: Apache-2.0
#include "sentinel/access/path_reports.h"

#include <algorithm>
#include <cerrno>

namespace berth::sentinel {

void PathReports::refused(std::uint64_t registration, int problem) noexcept {
    if (problem != ECONNREFUSED && problem != ETIMEDOUT && problem != EHOSTUNREACH) return;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return;
    Trouble& trouble = troubles_[registration];
    trouble.refused_at = std::chrono::steady_clock::now();
    trouble.problem = problem;
    trouble.tried_at = trouble.refused_at;
    trouble.off = problem != ECONNREFUSED;
    any_ = true;
}

void PathReports::accepted(std::uint64_t registration) noexcept {
    if (!any_.load(std::memory_order_relaxed)) return;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    const auto found = lock ? troubles_.find(registration) : troubles_.end();
    if (found != troubles_.end()) found->second.off = false;
}

int PathReports::known_off(std::uint64_t registration, Moment now) noexcept {
    if (!any_.load(std::memory_order_relaxed)) return 0;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    const auto found = lock ? troubles_.find(registration) : troubles_.end();
    if (found == troubles_.end() || !found->second.off) return 0;
    Trouble& trouble = found->second;
    if (now - trouble.tried_at < tries_every) return trouble.problem;
    trouble.tried_at = now;
    return 0;
}

void PathReports::silent(std::uint64_t registration) noexcept {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return;
    ++troubles_[registration].silent;
    any_ = true;
}

void PathReports::answered(std::uint64_t registration, Moment since) noexcept {
    if (!any_.load(std::memory_order_relaxed)) return;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return;
    const auto found = troubles_.find(registration);
    if (found == troubles_.end()) return;
    found->second.silent = 0;
    if (found->second.problem == 0 || found->second.refused_at <= since) troubles_.erase(found);
    any_ = !troubles_.empty();
}

PathReports::Trouble PathReports::of(std::uint64_t registration) const {
    const std::scoped_lock lock(mutex_);
    const auto found = troubles_.find(registration);
    return found == troubles_.end() ? Trouble{} : found->second;
}

void PathReports::keep(const std::vector<std::uint64_t>& registrations) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(troubles_, [&](const auto& entry) {
        return !std::ranges::binary_search(registrations, entry.first);
    });
    any_ = !troubles_.empty();
}

}  // namespace berth::sentinel
