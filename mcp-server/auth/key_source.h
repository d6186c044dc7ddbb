// SPDX-License-Identifier: Apache-2.0
// Where the authorization server's keys come from, and when they are looked up again.
#pragma once

#include "base/clock.h"
#include "mcp-server/auth/jwk.h"
#include "mcp-server/auth/watched_file.h"

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace berth::auth {

/// Safe from many threads. What was given stays good while somebody holds it.
class KeySource {
public:
    KeySource() = default;
    KeySource(const KeySource&) = delete;
    KeySource& operator=(const KeySource&) = delete;
    virtual ~KeySource() = default;

    /// `newer`: a key was missing from what was given last, so look again if that is due.
    [[nodiscard]] virtual Result<std::shared_ptr<const Jwks>> keys(bool newer) = 0;
};

/// A file that an operator keeps; read again when it changes. Others may read it, and not write it.
class FileKeys final : public KeySource {
public:
    FileKeys(std::filesystem::path path, const Clock& clock)
        : file_(std::move(path), {.bytes_max = jwks_bytes_max, .forbidden_mode = 0022}, clock) {}
    [[nodiscard]] Result<std::shared_ptr<const Jwks>> keys(bool newer) override;

private:
    std::mutex mutex_;
    WatchedFile file_;
    std::shared_ptr<const Jwks> keys_;
};

inline constexpr std::chrono::minutes fetched_keys_fresh{10};
/// The server is asked no more often than this, whatever tokens come.
inline constexpr std::chrono::seconds fetched_keys_interval{30};
/// While the server cannot be reached its keys are good for so long, and no longer: it may have
/// withdrawn one.
inline constexpr std::chrono::hours fetched_keys_stale{1};

/// Keys that are fetched over the network. One thread fetches at a time; the others go on with what
/// there is, or wait when there is nothing.
class FetchedKeys final : public KeySource {
public:
    using Fetch = std::function<Result<std::string>()>;
    FetchedKeys(Fetch fetch, const Clock& clock) : fetch_(std::move(fetch)), clock_(&clock) {}
    [[nodiscard]] Result<std::shared_ptr<const Jwks>> keys(bool newer) override;

private:
    using Answer = Result<std::shared_ptr<const Jwks>>;
    [[nodiscard]] std::optional<Answer> answer_at_hand(bool newer);
    [[nodiscard]] Answer last_answer() const;

    Fetch fetch_;
    const Clock* clock_;
    std::mutex fetching_;  // taken before mutex_
    std::mutex mutex_;
    std::shared_ptr<const Jwks> keys_;
    std::optional<Error> problem_;
    std::chrono::steady_clock::time_point fetched_at_;
    std::optional<std::chrono::steady_clock::time_point> tried_at_;
};

}  // namespace berth::auth
