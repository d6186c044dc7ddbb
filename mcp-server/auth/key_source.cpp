// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/key_source.h"

namespace berth::auth {
namespace {

Result<std::shared_ptr<const Jwks>> parsed(Result<std::string> text) {
    auto keys = text ? Jwks::parse(*text) : fail(std::move(text).error());
    if (keys) return std::make_shared<const Jwks>(*std::move(keys));
    Error error = std::move(keys).error();
    error.code = ErrorCode::unavailable;
    return fail(std::move(error).in("the authorization server's keys"));
}

}  // namespace

Result<std::shared_ptr<const Jwks>> FileKeys::keys(bool) {
    const std::scoped_lock lock(mutex_);
    auto changed = file_.changed();
    if (changed && !*changed) return keys_;
    auto read = parsed(changed ? Result<std::string>(**std::move(changed))
                               : fail(std::move(changed).error()));
    if (read) {
        keys_ = *read;
    } else {
        file_.forget();
    }
    return read;
}

FetchedKeys::Answer FetchedKeys::last_answer() const {
    if (keys_ && clock_->steady() - fetched_at_ < fetched_keys_stale) return keys_;
    return fail(problem_.value_or(make_error(ErrorCode::unavailable, "no keys yet")));
}

/// What can be given without asking the server; nothing when it is to be asked.
std::optional<FetchedKeys::Answer> FetchedKeys::answer_at_hand(bool newer) {
    const std::scoped_lock lock(mutex_);
    const auto now = clock_->steady();
    const bool fresh = keys_ && !problem_ && now - fetched_at_ < fetched_keys_fresh;
    if (fresh && !newer) return keys_;
    if (tried_at_ && now - *tried_at_ < fetched_keys_interval) return last_answer();
    return std::nullopt;
}

Result<std::shared_ptr<const Jwks>> FetchedKeys::keys(bool newer) {
    if (auto answer = answer_at_hand(newer)) return *std::move(answer);
    std::unique_lock fetching(fetching_, std::try_to_lock);
    if (!fetching.owns_lock()) {
        {
            const std::scoped_lock lock(mutex_);
            if (auto answer = last_answer()) return answer;
        }
        fetching.lock();
    }
    if (auto answer = answer_at_hand(newer)) return *std::move(answer);
    {
        const std::scoped_lock lock(mutex_);
        tried_at_ = clock_->steady();
    }
    auto read = parsed(fetch_());
    const std::scoped_lock lock(mutex_);
    if (read) {
        keys_ = *std::move(read);
        fetched_at_ = clock_->steady();
        problem_.reset();
    } else {
        problem_ = std::move(read).error();
    }
    return last_answer();
}

}  // namespace berth::auth
