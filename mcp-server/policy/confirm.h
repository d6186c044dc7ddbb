// SPDX-License-Identifier: Apache-2.0
// Confirmations for clients that cannot ask their user: the call is refused with a token, and the
// same call with that token goes through, once, soon, and on a target that is still the same.
#pragma once

#include "mcp-server/auth/seal.h"
#include "tools-schema/contract/json.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <string>
#include <string_view>

namespace berth::policy {

inline constexpr std::chrono::seconds confirm_token_good_for{120};

/// One text for arguments that mean the same call: SHA-256 over them with sorted keys, without
/// those that a caller may change between asking and confirming (confirm_token, request_id,
/// dry_run).
[[nodiscard]] std::string arguments_digest(const Json& arguments);

/// Safe from many threads. Tokens are good in the process that issued them and in no other, because
/// only it knows which are spent.
class ConfirmTokens {
public:
    ConfirmTokens(auth::SealKey key, const Clock& clock);

    /// `state_digest` says what the target was when the preview was made.
    [[nodiscard]] std::string issue(std::string_view principal, std::string_view tool,
                                    std::string_view arguments_digest,
                                    std::string_view state_digest) const;

    /// The state that was confirmed: the call must fail when the target's is another by now. The
    /// token is spent by this, also when the call then fails. invalid_argument for any token that
    /// is not good, without saying more than a guesser may know.
    [[nodiscard]] Result<std::string> redeem(std::string_view token, std::string_view principal,
                                             std::string_view tool,
                                             std::string_view arguments_digest);

private:
    [[nodiscard]] auth::SealFor bound_to(std::string_view principal, std::string_view tool,
                                         std::string_view arguments_digest) const;

    auth::Seals seals_;
    auth::SpentOnce spent_;
    const Clock* clock_;
    std::string process_;  // random: other processes may have the same key
};

}  // namespace berth::policy
