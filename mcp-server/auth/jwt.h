// SPDX-License-Identifier: Apache-2.0
// Access tokens of an authorization server, as signed JSON (RFC 7519, RFC 9068): read strictly,
// and believed only after the signature, the issuer, the audience and the time are right.
#pragma once

#include "mcp-server/auth/jwk.h"
#include "tools-schema/contract/json.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace berth::auth {

inline constexpr std::size_t jwt_bytes_max = 8 * std::size_t{1024};
/// Clocks of two machines may differ by so much.
inline constexpr std::chrono::seconds jwt_leeway{30};
inline constexpr std::size_t audiences_max = 32;
inline constexpr std::size_t subject_bytes_max = 255;

/// A token taken apart. Nothing in it is proven.
struct Jwt {
    Algorithm algorithm = Algorithm::rs256;
    std::string kid;      // "" when it names no key
    Json claims;          // an object
    std::string content;  // what was signed
    std::string signature;
};

/// invalid_argument for what is no JWT that could be an access token: wrong form, an algorithm
/// that is not accepted, a critical extension, a key named twice.
[[nodiscard]] Result<Jwt> parse_jwt(std::string_view text);

/// Who may issue tokens, and for whom they must be.
struct JwtRules {
    std::string issuer;
    std::string audience;  // our resource: the public URL of /mcp
};

struct AccessToken {
    std::string principal;  // "oauth:<sub>", or "oauth-client:<client_id>" when there is no sub
    std::vector<std::string> scopes;
    std::chrono::system_clock::time_point expires;
};

/// not_found when none of the keys is the token's, so that newer keys may help. denied, with what
/// is wrong, for everything else; the message may be shown to the caller.
[[nodiscard]] Result<AccessToken> verify_jwt(const Jwt& token, const Jwks& keys,
                                             const JwtRules& rules,
                                             std::chrono::system_clock::time_point now);

}  // namespace berth::auth
