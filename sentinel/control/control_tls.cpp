// SPDX-License-Identifier: Apache-2.0
#include "sentinel/control/control_tls.h"

#include "base/files.h"
#include "sentinel/registry/secrets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string_view>
#include <utility>

namespace berth::sentinel {
namespace {

struct FreeSsl {
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};
struct FreeCertificate {
    void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, FreeCertificate>;

std::unexpected<Error> unusable(const std::filesystem::path& file) {
    std::array<char, 256> why{};
    ERR_error_string_n(ERR_peek_last_error(), why.data(), why.size());
    ERR_clear_error();
    return fail(ErrorCode::invalid_argument, fmt::format("{}: {}", file.string(), why.data()));
}

std::string fingerprint(X509* certificate) {
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate, &der);
    if (size <= 0) return "";
    std::string out =
        sha256_hex({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
    OPENSSL_free(der);
    return out;
}

/// TLS has shown that the peer has the key; which certificates count is decided elsewhere.
int any_certificate(int /*verified*/, X509_STORE_CTX* /*chain*/) {
    return 1;
}

class Secured final : public HttpSecurity {
public:
    Secured(std::shared_ptr<SSL_CTX> context, SSL* ssl) : context_(std::move(context)), ssl_(ssl) {}

    [[nodiscard]] ssize_t receive(char* to, std::size_t size) override {
        const int room = static_cast<int>(std::min<std::size_t>(size, INT_MAX));
        return told(SSL_read(ssl_.get(), to, room));
    }
    [[nodiscard]] ssize_t send(const char* bytes, std::size_t size) override {
        const int count = static_cast<int>(std::min<std::size_t>(size, INT_MAX));
        return told(SSL_write(ssl_.get(), bytes, count));
    }
    [[nodiscard]] std::string peer_certificate() const override {
        const Certificate certificate(SSL_get1_peer_certificate(ssl_.get()));
        return certificate ? fingerprint(certificate.get()) : "";
    }

private:
    ssize_t told(int result) {
        const int why = SSL_get_error(ssl_.get(), result);
        ERR_clear_error();
        if (result > 0) return result;
        if (why == SSL_ERROR_ZERO_RETURN) return 0;
        errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
        return -1;
    }

    std::shared_ptr<SSL_CTX> context_;
    std::unique_ptr<SSL, FreeSsl> ssl_;
};

}  // namespace

Result<std::unique_ptr<ControlTls>> ControlTls::load(std::filesystem::path certificate,
                                                     std::filesystem::path key) {
    std::unique_ptr<ControlTls> tls(new ControlTls(std::move(certificate), std::move(key)));
    BERTH_TRY(tls->reload());
    return tls;
}

Result<> ControlTls::reload() {
    const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    if (!context) return unusable(certificate_);
    (void)SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    (void)SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_mode(context.get(),
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, any_certificate);
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_.c_str()) != 1) {
        return unusable(certificate_);
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), key_.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context.get()) != 1) {
        return unusable(key_);
    }
    const std::scoped_lock lock(mutex_);
    context_ = context;
    return {};
}

std::unique_ptr<HttpSecurity> ControlTls::accept(int socket) {
    std::shared_ptr<SSL_CTX> context;
    {
        const std::scoped_lock lock(mutex_);
        context = context_;
    }
    const int flags = ::fcntl(socket, F_GETFL);
    if (flags < 0 || ::fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0) return nullptr;
    SSL* const ssl = SSL_new(context.get());
    if (ssl == nullptr) return nullptr;
    auto secured = std::make_unique<Secured>(std::move(context), ssl);
    if (SSL_set_fd(ssl, socket) != 1) return nullptr;
    SSL_set_accept_state(ssl);
    return secured;
}

Result<std::string> fingerprint_of(const std::filesystem::path& certificate) {
    const std::string text = BERTH_TRY(read_file(certificate));
    const std::unique_ptr<BIO, void (*)(BIO*)> source(
        BIO_new_mem_buf(text.data(), static_cast<int>(text.size())),
        [](BIO* bio) { (void)BIO_free(bio); });
    const Certificate read(PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr));
    if (!read) return unusable(certificate);
    return fingerprint(read.get());
}

}  // namespace berth::sentinel
