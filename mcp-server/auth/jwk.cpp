// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/jwk.h"

#include "mcp-server/auth/crypto.h"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>

namespace berth::auth {
namespace {

template <auto release>
struct Release {
    template <class T>
    void operator()(T* pointer) const noexcept {
        release(pointer);
    }
};
using Number = std::unique_ptr<BIGNUM, Release<&::BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Release<&::OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Release<&::OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Release<&::EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Release<&::EVP_MD_CTX_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Release<&::ECDSA_SIG_free>>;
using Key = std::shared_ptr<EVP_PKEY>;

struct Name {
    std::string_view text;
    Algorithm algorithm;
    KeyKind kind;
};
constexpr std::array names{
    Name{"RS256", Algorithm::rs256, KeyKind::rsa}, Name{"PS256", Algorithm::ps256, KeyKind::rsa},
    Name{"ES256", Algorithm::es256, KeyKind::p256}, Name{"ES384", Algorithm::es384, KeyKind::p384},
    Name{"EdDSA", Algorithm::eddsa, KeyKind::ed25519}};

constexpr std::size_t ed25519_bytes = 32;
constexpr std::size_t kid_bytes_max = 256;
/// Larger public exponents only make verifying slow.
constexpr int rsa_exponent_bits_max = 33;

/// OpenSSL keeps a queue of errors for each thread; nobody here reads it.
struct ForgetErrors {
    ForgetErrors() = default;
    ForgetErrors(const ForgetErrors&) = delete;
    ForgetErrors& operator=(const ForgetErrors&) = delete;
    ~ForgetErrors() { ::ERR_clear_error(); }
};

std::string text_at(const Json& key, const char* name) {
    const auto found = key.find(name);
    return found != key.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Number number_at(const Json& key, const char* name) {
    const auto bytes = decode_base64url(text_at(key, name));
    if (!bytes || bytes->empty() || bytes->size() > rsa_bits_max / 8) return nullptr;
    return Number(::BN_bin2bn(bytes_of(*bytes), static_cast<int>(bytes->size()), nullptr));
}

Key key_of(const char* type, OSSL_PARAM* parameters) {
    const KeyContext context(::EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (!context || ::EVP_PKEY_fromdata_init(context.get()) != 1 ||
        ::EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
        return nullptr;
    }
    return {key, ::EVP_PKEY_free};
}

Key rsa_key(const Json& jwk) {
    const Number modulus = number_at(jwk, "n");
    const Number exponent = number_at(jwk, "e");
    if (!modulus || !exponent || ::BN_num_bits(modulus.get()) < rsa_bits_min ||
        ::BN_num_bits(modulus.get()) > rsa_bits_max || ::BN_is_odd(modulus.get()) == 0 ||
        ::BN_num_bits(exponent.get()) > rsa_exponent_bits_max || ::BN_is_odd(exponent.get()) == 0 ||
        ::BN_is_one(exponent.get()) != 0) {
        return nullptr;
    }
    const Builder builder(::OSSL_PARAM_BLD_new());
    if (!builder ||
        ::OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
        ::OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
        return nullptr;
    }
    const Parameters parameters(::OSSL_PARAM_BLD_to_param(builder.get()));
    return key_of("RSA", parameters.get());
}

Key ec_key(const Json& jwk, const char* group, std::size_t width) {
    const auto x = decode_base64url(text_at(jwk, "x"));
    const auto y = decode_base64url(text_at(jwk, "y"));
    if (!x || !y || x->size() != width || y->size() != width) return nullptr;
    const std::string point = "\x04" + *x + *y;  // uncompressed, SEC 1 section 2.3.3
    const Builder builder(::OSSL_PARAM_BLD_new());
    if (!builder ||
        ::OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, group, 0) !=
            1 ||
        ::OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                           point.size()) != 1) {
        return nullptr;
    }
    const Parameters parameters(::OSSL_PARAM_BLD_to_param(builder.get()));
    Key key = key_of("EC", parameters.get());
    if (!key) return nullptr;
    // A point beside the curve would let others make signatures that verify.
    const KeyContext check(::EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    return check && ::EVP_PKEY_public_check(check.get()) == 1 ? key : nullptr;
}

Key ed25519_key(const Json& jwk) {
    const auto x = decode_base64url(text_at(jwk, "x"));
    if (!x || x->size() != ed25519_bytes) return nullptr;
    EVP_PKEY* key =
        ::EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(*x), x->size());
    return key == nullptr ? nullptr : Key(key, ::EVP_PKEY_free);
}

std::optional<Jwk> with_key(const Json& jwk) {
    const std::string type = text_at(jwk, "kty"), curve = text_at(jwk, "crv");
    Jwk made;
    if (type == "RSA") {
        made = {.kid = {}, .kind = KeyKind::rsa, .key = rsa_key(jwk)};
    } else if (type == "EC" && curve == "P-256") {
        made = {.kid = {}, .kind = KeyKind::p256, .key = ec_key(jwk, "P-256", 32)};
    } else if (type == "EC" && curve == "P-384") {
        made = {.kid = {}, .kind = KeyKind::p384, .key = ec_key(jwk, "P-384", 48)};
    } else if (type == "OKP" && curve == "Ed25519") {
        made = {.kid = {}, .kind = KeyKind::ed25519, .key = ed25519_key(jwk)};
    }
    return made.key ? std::optional(std::move(made)) : std::nullopt;
}

bool is_for_signatures(const Json& jwk) {
    if (const auto use = jwk.find("use"); use != jwk.end() && *use != "sig") return false;
    const auto operations = jwk.find("key_ops");
    return operations == jwk.end() ||
           (operations->is_array() &&
            std::ranges::find(*operations, "verify") != operations->end());
}

/// Nothing for a key that is for something else, too weak, or not written as it should be.
std::optional<Jwk> usable_key(const Json& jwk) {
    if (!jwk.is_object() || !is_for_signatures(jwk)) return std::nullopt;
    auto made = with_key(jwk);
    if (!made) return std::nullopt;
    if (const auto named = jwk.find("alg"); named != jwk.end()) {
        made->algorithm = algorithm_of(text_at(jwk, "alg"));
        if (!made->algorithm || !made->suits(*made->algorithm)) return std::nullopt;
    }
    made->kid = text_at(jwk, "kid");
    return made->kid.size() <= kid_bytes_max ? made : std::nullopt;
}

/// JWS has r and s side by side (RFC 7518 section 3.4), and OpenSSL wants them in DER.
std::optional<std::string> der_of(std::string_view signature, std::size_t width) {
    if (signature.size() != 2 * width) return std::nullopt;
    const int length = static_cast<int>(width);
    Number r(::BN_bin2bn(bytes_of(signature), length, nullptr));
    Number s(::BN_bin2bn(bytes_of(signature.substr(width)), length, nullptr));
    const EcSignature both(::ECDSA_SIG_new());
    if (!r || !s || !both || ::ECDSA_SIG_set0(both.get(), r.get(), s.get()) != 1) {
        return std::nullopt;
    }
    (void)r.release();  // owned by `both` now
    (void)s.release();
    const int size = ::i2d_ECDSA_SIG(both.get(), nullptr);
    if (size <= 0) return std::nullopt;
    std::string der(static_cast<std::size_t>(size), '\0');
    auto* out = reinterpret_cast<unsigned char*>(der.data());
    return ::i2d_ECDSA_SIG(both.get(), &out) == size ? std::optional(std::move(der)) : std::nullopt;
}

}  // namespace

std::optional<Algorithm> algorithm_of(std::string_view name) {
    const auto* const found = std::ranges::find(names, name, &Name::text);
    return found == names.end() ? std::nullopt : std::optional(found->algorithm);
}

bool Jwk::suits(Algorithm wanted) const {
    const auto* const found = std::ranges::find(names, wanted, &Name::algorithm);
    return found->kind == kind && (!algorithm || *algorithm == wanted);
}

Result<Jwks> Jwks::parse(std::string_view text) {
    const ForgetErrors forget;
    const Json document = BERTH_TRY(parse_json(text, jwks_bytes_max));
    const auto listed = document.is_object() ? document.find("keys") : document.end();
    if (!document.is_object() || listed == document.end() || !listed->is_array()) {
        return fail(ErrorCode::invalid_argument, "is no JSON Web Key Set: 'keys' is missing");
    }
    if (listed->size() > jwks_keys_max) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("has {} keys; at most {} are read", listed->size(), jwks_keys_max));
    }
    Jwks set;
    for (const Json& one : *listed) {
        if (auto key = usable_key(one)) set.keys_.push_back(*std::move(key));
    }
    if (set.keys_.empty()) {
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("none of its {} keys can be used", listed->size()))
                        .next(fmt::format("it needs an RSA key of {} bits or more, P-256, P-384 or "
                                          "Ed25519, for signatures",
                                          rsa_bits_min)));
    }
    return set;
}

const Jwk* Jwks::find(std::string_view kid, Algorithm algorithm) const {
    const Jwk* found = nullptr;
    for (const Jwk& key : keys_) {
        if ((!kid.empty() && key.kid != kid) || !key.suits(algorithm)) continue;
        if (found != nullptr) return nullptr;
        found = &key;
    }
    return found;
}

bool verifies(const Jwk& key, Algorithm algorithm, std::string_view content,
              std::string_view signature) {
    const ForgetErrors forget;
    if (!key.suits(algorithm)) return false;
    const EVP_MD* digest = ::EVP_sha256();
    std::optional<std::string> der;
    if (algorithm == Algorithm::es384) digest = ::EVP_sha384();
    if (algorithm == Algorithm::eddsa) digest = nullptr;
    if (algorithm == Algorithm::es256 || algorithm == Algorithm::es384) {
        der = der_of(signature, algorithm == Algorithm::es256 ? 32 : 48);
        if (!der) return false;
        signature = *der;
    }
    const DigestContext context(::EVP_MD_CTX_new());
    EVP_PKEY_CTX* settings = nullptr;
    if (!context ||
        ::EVP_DigestVerifyInit(context.get(), &settings, digest, nullptr, key.key.get()) != 1) {
        return false;
    }
    if (algorithm == Algorithm::ps256 &&
        (::EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) != 1 ||
         ::EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) != 1)) {
        return false;
    }
    return ::EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(),
                              bytes_of(content), content.size()) == 1;
}

}  // namespace berth::auth
