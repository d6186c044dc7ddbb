// SPDX-License-Identifier: Apache-2.0
// Legacy HTTP sessions. Their ids are signed and say what the session agreed on, so that a restart
// of the server loses none; what is kept here beside them can be lost.
#pragma once

#include "mcp-server/auth/seal.h"
#include "mcp-server/protocol/dispatcher.h"
#include "mcp-server/transport/replay_log.h"

#include <atomic>
#include <chrono>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace berth::mcp {

/// Of the sessions that clients have ended, this many are remembered.
inline constexpr std::size_t ended_sessions_max = 10'000;
/// This many have their state kept; the one used longest ago loses it, and goes on.
inline constexpr std::size_t kept_sessions_max = 10'000;
inline constexpr std::chrono::hours session_good_for{30 * 24};

struct HttpSession {
    std::shared_ptr<Session> session;
    ReplayLog log;
    std::atomic<bool> streaming = false;  // it has its one GET stream
};

class HttpSessions {
public:
    explicit HttpSessions(auth::Seals seals) : seals_(std::move(seals)) {}

    [[nodiscard]] std::string issue(const Agreed& agreed, const std::string& principal);
    /// nullptr for an id that is not ours or somebody else's, and when its session has ended.
    [[nodiscard]] std::shared_ptr<HttpSession> find(const std::string& id,
                                                    const std::string& principal);
    void end(const std::string& id);

private:
    struct Kept {
        std::shared_ptr<HttpSession> session;
        std::list<std::string>::iterator use;
    };

    auth::Seals seals_;
    std::mutex mutex_;
    std::map<std::string, Kept, std::less<>> kept_;
    std::list<std::string> uses_;  // the latest first
    std::set<std::string, std::less<>> ended_;
    std::deque<std::string> ended_in_order_;
};

}  // namespace berth::mcp
