// SPDX-License-Identifier: Apache-2.0
// Ids of legacy HTTP sessions that say what the session agreed on, so that nothing about a session
// is kept: a signed "version.nonce.signature".
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace berth::mcp {

/// Of the sessions that clients have ended, this many are remembered.
inline constexpr std::size_t ended_sessions_max = 10'000;

class SessionIds {
public:
    /// Ids are good for whoever has the same key.
    explicit SessionIds(std::string key) : key_(std::move(key)) {}

    [[nodiscard]] std::string issue(std::string_view version) const;
    /// The version agreed on; nothing for an id that is not ours or whose session has ended.
    [[nodiscard]] std::optional<std::string> version_of(std::string_view id) const;
    void end(std::string_view id);

private:
    [[nodiscard]] std::string signature_of(std::string_view content) const;

    std::string key_;
    mutable std::mutex mutex_;
    std::set<std::string, std::less<>> ended_;
    std::deque<std::string> ended_in_order_;
};

}  // namespace berth::mcp
