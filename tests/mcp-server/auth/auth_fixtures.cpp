// SPDX-License-Identifier: Apache-2.0
#include "tests/mcp-server/auth/auth_fixtures.h"

#include "mcp-server/auth/crypto.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>
#include <stdexcept>

namespace berth::auth {
namespace {

void must(bool done) {
    if (!done) throw std::runtime_error("OpenSSL refuses");
}

std::string bytes_of(const BIGNUM* number, int width) {
    std::string bytes(static_cast<std::size_t>(width), '\0');
    auto* out = reinterpret_cast<unsigned char*>(bytes.data());
    must(::BN_bn2binpad(number, out, width) == width);
    return bytes;
}

/// DER to r and s side by side.
std::string raw_signature(std::string_view der, int width) {
    const auto* in = reinterpret_cast<const unsigned char*>(der.data());
    const std::unique_ptr<ECDSA_SIG, decltype(&::ECDSA_SIG_free)> both(
        ::d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size())), ::ECDSA_SIG_free);
    must(both != nullptr);
    return bytes_of(::ECDSA_SIG_get0_r(both.get()), width) +
           bytes_of(::ECDSA_SIG_get0_s(both.get()), width);
}

}  // namespace

SigningKey::SigningKey(EVP_PKEY* key) : key_(key, ::EVP_PKEY_free) {
    must(key != nullptr);
}

SigningKey SigningKey::rsa(unsigned int bits) {
    return SigningKey(::EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{bits}));
}

SigningKey SigningKey::ec(const char* curve) {
    return SigningKey(::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
}

SigningKey SigningKey::ed25519() {
    return SigningKey(::EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
}

std::string SigningKey::number(const char* name, int width) const {
    BIGNUM* value = nullptr;
    must(::EVP_PKEY_get_bn_param(key_.get(), name, &value) == 1);
    const std::unique_ptr<BIGNUM, decltype(&::BN_free)> owned(value, ::BN_free);
    return encode_base64url(bytes_of(value, width > 0 ? width : BN_num_bytes(value)));
}

Json SigningKey::jwk(std::string_view kid) const {
    Json jwk = Json::object();
    if (!kid.empty()) jwk["kid"] = kid;
    if (::EVP_PKEY_is_a(key_.get(), "RSA") == 1) {
        jwk.update({{"kty", "RSA"},
                    {"n", number(OSSL_PKEY_PARAM_RSA_N)},
                    {"e", number(OSSL_PKEY_PARAM_RSA_E)}});
    } else if (::EVP_PKEY_is_a(key_.get(), "EC") == 1) {
        const int bits = ::EVP_PKEY_get_bits(key_.get());
        const int width = (bits + 7) / 8;
        jwk.update({{"kty", "EC"},
                    {"crv", "P-" + std::to_string(bits)},
                    {"x", number(OSSL_PKEY_PARAM_EC_PUB_X, width)},
                    {"y", number(OSSL_PKEY_PARAM_EC_PUB_Y, width)}});
    } else {
        std::string raw(32, '\0');
        std::size_t length = raw.size();
        auto* out = reinterpret_cast<unsigned char*>(raw.data());
        must(::EVP_PKEY_get_raw_public_key(key_.get(), out, &length) == 1);
        jwk.update({{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", encode_base64url(raw)}});
    }
    return jwk;
}

std::string SigningKey::pem() const {
    const std::unique_ptr<BIO, decltype(&::BIO_free)> out(::BIO_new(::BIO_s_mem()), ::BIO_free);
    must(::PEM_write_bio_PUBKEY(out.get(), key_.get()) == 1);
    char* bytes = nullptr;
    const long count = BIO_get_mem_data(out.get(), &bytes);
    return {bytes, static_cast<std::size_t>(count)};
}

std::string SigningKey::sign(std::string_view algorithm, std::string_view content) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&::EVP_MD_CTX_free)> context(::EVP_MD_CTX_new(),
                                                                            ::EVP_MD_CTX_free);
    const EVP_MD* digest = algorithm == "ES384" ? ::EVP_sha384() : ::EVP_sha256();
    if (algorithm == "EdDSA") digest = nullptr;
    EVP_PKEY_CTX* settings = nullptr;
    must(::EVP_DigestSignInit(context.get(), &settings, digest, nullptr, key_.get()) == 1);
    if (algorithm == "PS256") {
        must(::EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1);
        must(::EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1);
    }
    const auto* in = reinterpret_cast<const unsigned char*>(content.data());
    std::size_t length = 0;
    must(::EVP_DigestSign(context.get(), nullptr, &length, in, content.size()) == 1);
    std::string signature(length, '\0');
    auto* out = reinterpret_cast<unsigned char*>(signature.data());
    must(::EVP_DigestSign(context.get(), out, &length, in, content.size()) == 1);
    signature.resize(length);
    if (!algorithm.starts_with("ES")) return signature;
    return raw_signature(signature, (::EVP_PKEY_get_bits(key_.get()) + 7) / 8);
}

std::string jwks_text(std::initializer_list<Json> keys) {
    return to_text(Json{{"keys", std::vector<Json>(keys)}});
}

std::string unsigned_jwt(const Json& header, const Json& claims) {
    return encode_base64url(to_text(header)) + "." + encode_base64url(to_text(claims));
}

std::string signed_jwt(const SigningKey& key, const Json& header, const Json& claims) {
    const std::string content = unsigned_jwt(header, claims);
    return content + "." + encode_base64url(key.sign(header.at("alg").get<std::string>(), content));
}

Json good_claims(const FakeClock& clock) {
    return Json{
        {"iss", test_issuer},     {"aud", test_resource},     {"sub", "ada"},
        {"client_id", "agent-7"}, {"exp", clock.now() + 300}, {"scope", "container.read port.*"}};
}

}  // namespace berth::auth
