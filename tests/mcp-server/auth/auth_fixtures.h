// SPDX-License-Identifier: Apache-2.0
// What an authorization server has: keys, made when a test starts and never stored, and tokens that
// it signs, rightly and wrongly. And a clock that a test sets.
#pragma once

#include "base/clock.h"
#include "tools-schema/contract/json.h"

#include <openssl/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace berth::auth {

class FakeClock final : public Clock {
public:
    [[nodiscard]] std::chrono::system_clock::time_point wall() const override {
        return std::chrono::system_clock::time_point(std::chrono::seconds(1'800'000'000)) + passed_;
    }
    [[nodiscard]] std::chrono::steady_clock::time_point steady() const override {
        return std::chrono::steady_clock::time_point(std::chrono::seconds(1'000)) + passed_;
    }
    void advance(std::chrono::milliseconds time) { passed_ += time; }
    [[nodiscard]] std::int64_t now() const {
        return std::chrono::floor<std::chrono::seconds>(wall().time_since_epoch()).count();
    }

private:
    std::chrono::milliseconds passed_{0};
};

/// A key pair. The private half signs in this process and goes nowhere.
class SigningKey {
public:
    static SigningKey rsa(unsigned int bits = 2048);
    static SigningKey ec(const char* curve);  // "P-256", "P-384", "P-521"
    static SigningKey ed25519();

    /// The public half as a JWK, with that kid unless it is "".
    [[nodiscard]] Json jwk(std::string_view kid) const;
    /// The public half in PEM, which an attacker may try as an HMAC key.
    [[nodiscard]] std::string pem() const;
    /// As the algorithm of that name signs.
    [[nodiscard]] std::string sign(std::string_view algorithm, std::string_view content) const;

private:
    explicit SigningKey(EVP_PKEY* key);
    [[nodiscard]] std::string number(const char* name, int width = 0) const;
    std::shared_ptr<EVP_PKEY> key_;
};

[[nodiscard]] std::string jwks_text(std::initializer_list<Json> keys);

/// header.claims in base64url, without a signature.
[[nodiscard]] std::string unsigned_jwt(const Json& header, const Json& claims);
[[nodiscard]] std::string signed_jwt(const SigningKey& key, const Json& header, const Json& claims);

/// Claims that are fine for the issuer and the resource below, at that time.
[[nodiscard]] Json good_claims(const FakeClock& clock);
inline constexpr const char* test_issuer = "https://as.example";
inline constexpr const char* test_resource = "https://berth.example/mcp";

}  // namespace berth::auth
