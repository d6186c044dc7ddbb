// SPDX-License-Identifier: Apache-2.0
// The public keys of an authorization server (RFC 7517), as far as they can sign access tokens.
#pragma once

#include "tools-schema/contract/json.h"
#include "tools-schema/contract/result.h"

#include <openssl/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::auth {

inline constexpr std::size_t jwks_bytes_max = 256 * std::size_t{1024};
inline constexpr std::size_t jwks_keys_max = 64;
inline constexpr int rsa_bits_min = 2048;
inline constexpr int rsa_bits_max = 8192;

/// The signatures that are accepted: with public keys only. "none" and HS256 are not among them.
enum class Algorithm : std::uint8_t { rs256, ps256, es256, es384, eddsa };

[[nodiscard]] std::optional<Algorithm> algorithm_of(std::string_view name);

/// What a key is decides what it may verify, and not what a token says about itself.
enum class KeyKind : std::uint8_t { rsa, p256, p384, ed25519 };

struct Jwk {
    std::string kid;                          // "" when it has none
    std::optional<Algorithm> algorithm = {};  // when the key is for one alone
    KeyKind kind = KeyKind::rsa;
    std::shared_ptr<EVP_PKEY> key = {};

    [[nodiscard]] bool suits(Algorithm wanted) const;
};

class Jwks {
public:
    /// Keys of other kinds, for other uses or too weak are left out, as RFC 7517 section 5 says;
    /// invalid_argument for text that is no set of keys, and for one with none that can be used.
    [[nodiscard]] static Result<Jwks> parse(std::string_view text);

    /// The key a token means. With a kid it is the one of that name, and without it the only one
    /// that suits; nullptr when there is none or it is not clear which.
    [[nodiscard]] const Jwk* find(std::string_view kid, Algorithm algorithm) const;

    [[nodiscard]] std::size_t size() const { return keys_.size(); }

private:
    std::vector<Jwk> keys_;
};

/// True when `signature` is one of `content` under that key.
[[nodiscard]] bool verifies(const Jwk& key, Algorithm algorithm, std::string_view content,
                            std::string_view signature);

}  // namespace berth::auth
