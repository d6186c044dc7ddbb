// SPDX-License-Identifier: Apache-2.0
#include "tunnel/carry/client_authority.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <array>

namespace berth::tunnel {
namespace {

// 112 bits (SSL_CTX_set_security_level(3), level 2): no RSA below 2,048 bits and no SHA-1.
constexpr int security_level = 2;

struct FreeVerification {
    void operator()(X509_STORE_CTX* verification) const { X509_STORE_CTX_free(verification); }
};
struct FreeNames {
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

std::unexpected<Error> unusable_authority(const std::filesystem::path& file) {
    std::array<char, 256> why{};
    ERR_error_string_n(ERR_peek_last_error(), why.data(), why.size());
    ERR_clear_error();
    return fail(ErrorCode::invalid_argument, fmt::format("{}: {}", file.string(), why.data()));
}

/// How many authorities and revocation lists there are.
std::pair<int, int> contents(X509_STORE* store) {
    int authorities = 0, lists = 0;
    const STACK_OF(X509_OBJECT)* const all = X509_STORE_get0_objects(store);
    for (int at = 0; at < sk_X509_OBJECT_num(all); ++at) {
        const auto kind = X509_OBJECT_get_type(sk_X509_OBJECT_value(all, at));
        ++(kind == X509_LU_CRL ? lists : authorities);
    }
    return {authorities, lists};
}

std::vector<std::string> pools_named_by(X509* certificate) {
    const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    std::vector<std::string> pools;
    for (int at = 0; names && at < sk_GENERAL_NAME_num(names.get()); ++at) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), at);
        if (name->type != GEN_URI) continue;
        const ASN1_IA5STRING* const text = name->d.uniformResourceIdentifier;
        const std::string_view uri(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                   static_cast<std::size_t>(ASN1_STRING_length(text)));
        if (uri.starts_with(pool_uri_scheme)) {
            pools.emplace_back(uri.substr(pool_uri_scheme.size()));
        }
    }
    return pools;
}

}  // namespace

void ClientAuthority::Free::operator()(x509_store_st* store) const {
    X509_STORE_free(store);
}

Result<std::shared_ptr<const ClientAuthority>> ClientAuthority::load(
    const std::filesystem::path& file) {
    const std::shared_ptr<const ClientAuthority> made(new ClientAuthority(X509_STORE_new()));
    X509_STORE* const store = made->store_.get();
    X509_LOOKUP* const reader =
        store == nullptr ? nullptr : X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (reader == nullptr ||
        X509_load_cert_crl_file(reader, file.c_str(), X509_FILETYPE_PEM) <= 0) {
        return unusable_authority(file);
    }
    const auto [authorities, lists] = contents(store);
    if (authorities == 0) {
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("{}: there is no certificate in it", file.string()))
                        .next("give the certificate of the authority that signs those of hosts"));
    }
    // An authority is what the file says, whoever certified it.
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
    if (lists > 0) flags |= X509_V_FLAG_CRL_CHECK;
    X509_VERIFY_PARAM* const rules = X509_STORE_get0_param(store);
    (void)X509_VERIFY_PARAM_set_flags(rules, flags);
    (void)X509_VERIFY_PARAM_set_purpose(rules, X509_PURPOSE_SSL_CLIENT);
    X509_VERIFY_PARAM_set_auth_level(rules, security_level);
    return made;
}

Result<std::vector<std::string>> ClientAuthority::pools_of(const ShownCertificate& shown) const {
    const std::unique_ptr<X509_STORE_CTX, FreeVerification> verification(X509_STORE_CTX_new());
    X509* const own = shown.chain ? sk_X509_value(shown.chain.get(), 0) : nullptr;
    if (!verification || own == nullptr ||
        X509_STORE_CTX_init(verification.get(), store_.get(), own, shown.chain.get()) != 1) {
        return fail(ErrorCode::denied, "there is no certificate that could be looked at");
    }
    const bool good = X509_verify_cert(verification.get()) == 1;
    const int why = X509_STORE_CTX_get_error(verification.get());
    ERR_clear_error();
    if (good) return pools_named_by(own);
    return fail(make_error(ErrorCode::denied,
                           fmt::format("the client authority does not vouch for the certificate: "
                                       "{}",
                                       X509_verify_cert_error_string(why)))
                    .next("show a certificate for TLS clients that the sentinel's client authority "
                          "has signed and that has not expired"));
}

}  // namespace berth::tunnel
