// SPDX-License-Identifier: Apache-2.0
// Seals: what a client keeps for us and gives back later (session ids, requestState, cursors,
// confirmations), signed so that it comes back as it was given, to the same caller, for the same
// use, and in time. Nothing about it is stored here.
#pragma once

#include "base/clock.h"
#include "tools-schema/contract/json.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace berth::auth {

/// A longer text is refused unread.
inline constexpr std::size_t sealed_bytes_max = 16 * std::size_t{1024};
inline constexpr std::size_t seal_key_bytes_min = 32;
/// So many spent nonces are remembered; when as many are still good, nothing more is spent.
inline constexpr std::size_t spent_nonces_max = 10'000;

/// The secret behind the seals. Two keys are equal when they open each other's.
class SealKey {
public:
    /// invalid_argument for fewer than 32 bytes.
    [[nodiscard]] static Result<SealKey> of(std::string bytes);
    [[nodiscard]] static SealKey random();
    [[nodiscard]] const std::string& bytes() const { return bytes_; }
    bool operator==(const SealKey&) const = default;

private:
    explicit SealKey(std::string bytes) : bytes_(std::move(bytes)) {}
    std::string bytes_;
};

/// The key in that file, which is made (0600) with its directory (0700) when it is not there.
/// Processes that start at once get the same key. `denied` when anyone but its owner may read it.
[[nodiscard]] Result<SealKey> load_or_make_key(const std::filesystem::path& path);

/// What a seal is for. All of it goes into the signature, and none of it into the text.
struct SealFor {
    std::string purpose;         // "session", "request_state": one word for each use
    std::string principal = {};  // whose it is: Caller::principal
    std::string about = {};      // anything else it is bound to: method, tool, digest of arguments
};

class Seals {
public:
    Seals(SealKey key, const Clock& clock) : key_(std::move(key)), clock_(&clock) {}

    /// "v1.<payload>.<signature>": the payload is signed and not hidden.
    [[nodiscard]] std::string seal(const Json& payload, std::chrono::seconds good_for,
                                   const SealFor& bound) const;

    /// The payload. invalid_argument, in one of two fixed messages: `seal_is_foreign` for what was
    /// not issued here, for this use, to this caller; `seal_has_expired` for what was.
    [[nodiscard]] Result<Json> open(std::string_view text, const SealFor& bound) const;

private:
    [[nodiscard]] std::string signature_of(std::string_view content, const SealFor& bound) const;

    SealKey key_;
    const Clock* clock_;
};

inline constexpr std::string_view seal_is_foreign = "was not issued by this server for this use";
inline constexpr std::string_view seal_has_expired = "has expired";

/// Remembers what may be used only once. Safe from many threads.
class SpentOnce {
public:
    explicit SpentOnce(const Clock& clock) : clock_(&clock) {}

    /// True the first time. `expires` is when the nonce is no longer good anyway, so that it can be
    /// forgotten. False when it was spent, when it is too late, and when too many are remembered.
    [[nodiscard]] bool spend(std::string_view nonce, std::chrono::system_clock::time_point expires);

private:
    const Clock* clock_;
    std::mutex mutex_;
    std::map<std::string, std::chrono::system_clock::time_point, std::less<>> spent_;
};

}  // namespace berth::auth
