// SPDX-License-Identifier: Apache-2.0
// What a primary says to a sentinel's registry, and when: told the time and the answers, it knows
// no clock and no socket.
#pragma once

#include "base/http_message.h"
#include "tools-schema/contract/result.h"
#include "tunnel/carry/backoff.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace berth::tunnel {

/// What a host registers itself as.
struct Primary {
    std::string pool;
    std::string hostname;
    std::vector<std::string> aliases = {};
    std::vector<std::string> base_domains = {};
    std::string ip = {};  // "": where the request comes from
    std::uint16_t port = 443;
    std::uint64_t generation = 0;  // of two hosts of a pool the one with the larger counts
};

/// The body of POST /sentinel/primaries.
[[nodiscard]] std::string claim_body(const Primary& primary);

/// Which host the registry has for the pool, by its generation; nothing where it does not say. What
/// it refuses is an error with code, field and next step as it said them.
[[nodiscard]] Result<std::optional<std::uint64_t>> read_registry_answer(
    const HttpResponse& response);

/// What became of the registration. All that come with an error are tried again, `wait` later.
struct AnnouncerNews {
    enum class Kind : std::uint8_t { registered, failed };
    Kind kind = Kind::registered;
    std::optional<Error> why = {};
    std::chrono::milliseconds wait = {};
};

class Announcement {
public:
    using Moment = std::chrono::steady_clock::time_point;
    enum class Word : std::uint8_t { enter, beat };

    Announcement(std::uint64_t generation, std::chrono::milliseconds beat_every, std::uint32_t seed)
        : generation_(generation), beat_every_(beat_every), backoff_(seed) {}

    /// What is to be said next, and when.
    [[nodiscard]] Word next() const { return registered_ ? Word::beat : Word::enter; }
    [[nodiscard]] Moment due() const { return due_; }
    /// As far as is known, the registry has this host for its pool.
    [[nodiscard]] bool registered() const { return registered_; }

    using Answer = Result<std::optional<std::uint64_t>>;
    /// The registry has this host for the pool, and no other.
    [[nodiscard]] bool is_ours(const Answer& answer) const {
        return answer && answer->value_or(generation_) == generation_;
    }
    /// Takes the answer to next(). News only of what has changed.
    [[nodiscard]] std::optional<AnnouncerNews> answered(const Answer& answer, Moment now);

private:
    const std::uint64_t generation_;
    const std::chrono::milliseconds beat_every_;
    Backoff backoff_;
    Moment due_{};
    bool registered_ = false;
    std::string problem_;  // that was told last
};

}  // namespace berth::tunnel
