// SPDX-License-Identifier: Apache-2.0
#include "tunnel/carry/tls_context.h"

#include "tunnel/hello.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <string>

namespace berth::tunnel {
namespace {

std::unexpected<Error> unusable(const std::filesystem::path& file) {
    std::array<char, 256> why{};
    ERR_error_string_n(ERR_peek_last_error(), why.data(), why.size());
    ERR_clear_error();
    return fail(ErrorCode::invalid_argument, fmt::format("{}: {}", file.string(), why.data()));
}

std::string as_list(std::string_view protocol) {
    return static_cast<char>(protocol.size()) + std::string(protocol);
}

/// Who offers another protocol, or none, has come to the wrong place.
int choose_protocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_bytes,
                    const unsigned char* offered, unsigned int offered_bytes, void* /*unused*/) {
    const std::string ours = as_list(alpn);
    if (std::string_view(reinterpret_cast<const char*>(offered), offered_bytes) != ours) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = offered + 1;
    *chosen_bytes = static_cast<unsigned char>(alpn.size());
    return SSL_TLSEXT_ERR_OK;
}

/// TLS has shown that the peer has the key; which certificates count is decided elsewhere.
int any_certificate(int /*verified*/, X509_STORE_CTX* /*chain*/) {
    return 1;
}

/// AES with 128 bits takes a quarter less time than OpenSSL's first choice, and is as safe.
constexpr const char* ciphers =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const {
    SSL_CTX_free(context);
}

Result<> TlsContext::use(const OwnCertificate& own) {
    SSL_CTX* const context = context_.get();
    if (SSL_CTX_use_certificate_chain_file(context, own.certificate.c_str()) != 1) {
        return unusable(own.certificate);
    }
    if (SSL_CTX_use_PrivateKey_file(context, own.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return unusable(own.key);
    }
    return {};
}

Result<std::shared_ptr<TlsContext>> TlsContext::server(const OwnCertificate& own) {
    const std::shared_ptr<TlsContext> made(new TlsContext(SSL_CTX_new(TLS_server_method())));
    SSL_CTX* const context = made->get();
    if (context == nullptr) return unusable(own.certificate);
    (void)SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    (void)SSL_CTX_set_ciphersuites(context, ciphers);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, any_certificate);
    BERTH_TRY(made->use(own));
    return made;
}

Result<std::shared_ptr<TlsContext>> TlsContext::client(const std::filesystem::path& authorities,
                                                       const OwnCertificate& own,
                                                       std::string_view protocol) {
    const std::shared_ptr<TlsContext> made(new TlsContext(SSL_CTX_new(TLS_client_method())));
    SSL_CTX* const context = made->get();
    if (context == nullptr) return unusable(authorities);
    (void)SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    (void)SSL_CTX_set_ciphersuites(context, ciphers);
    if (!protocol.empty()) {
        const std::string ours = as_list(protocol);
        (void)SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(ours.data()),
                                      static_cast<unsigned>(ours.size()));
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    const int trusts = authorities.empty()
                           ? SSL_CTX_set_default_verify_paths(context)
                           : SSL_CTX_load_verify_locations(context, authorities.c_str(), nullptr);
    if (trusts != 1) return unusable(authorities);
    if (!own.certificate.empty()) BERTH_TRY(made->use(own));
    return made;
}

}  // namespace berth::tunnel
