// SPDX-License-Identifier: Apache-2.0
#include "sentinel/page/page.h"

#include "base/files.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include <array>
#include <string_view>

namespace berth::sentinel {
namespace {

constexpr int retry_after_seconds = 30;

// OpenSSL points into this, beyond the call.
constexpr std::array<unsigned char, 9> ours{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

/// HTTP/1.1 is all that is spoken here; who offers protocols and not that one gets none agreed on.
int choose_protocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_bytes,
                    const unsigned char* offered, unsigned int offered_bytes, void* /*unused*/) {
    unsigned char* out = nullptr;
    if (SSL_select_next_proto(&out, chosen_bytes, ours.data(), ours.size(), offered,
                              offered_bytes) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = out;
    return SSL_TLSEXT_ERR_OK;
}

std::unexpected<Error> unusable(const std::filesystem::path& file) {
    std::array<char, 256> why{};
    ERR_error_string_n(ERR_peek_last_error(), why.data(), why.size());
    ERR_clear_error();
    return fail(ErrorCode::invalid_argument, fmt::format("{}: {}", file.string(), why.data()));
}

}  // namespace

Result<std::shared_ptr<Page>> Page::load(const std::filesystem::path& directory) {
    auto page = std::make_shared<Page>();
    page->html_ = BERTH_TRY(read_file(directory / "page.html", page_bytes_max));
    page->context_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* const context = page->context_.get();
    if (context == nullptr) return unusable(directory);
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
    const auto certificate = directory / "certificate.pem";
    if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
        return unusable(certificate);
    }
    const auto key = directory / "key.pem";
    if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return unusable(key);
    }
    return page;
}

std::string Page::answer(bool with_body) const {
    return fmt::format(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html; charset=utf-8\r\n"
        "Content-Length: {}\r\nRetry-After: {}\r\nCache-Control: no-store\r\n"
        "Connection: close\r\n\r\n{}",
        html_.size(), retry_after_seconds, with_body ? std::string_view(html_) : "");
}

}  // namespace berth::sentinel
