// SPDX-License-Identifier: Apache-2.0
#include "tunnel/carry/channel.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

namespace berth::tunnel {

struct Channel::Wire {
    std::string_view in;  // what has arrived and was not read
    std::string out;
    std::size_t out_sent = 0;

    [[nodiscard]] static Wire& of(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }
    static int read(BIO* bio, char* to, int size);
    static int write(BIO* bio, const char* bytes, int size);
    [[nodiscard]] static BIO_METHOD* method();
};

namespace {

constexpr std::size_t record_bytes_max = 16384;          // RFC 8446 section 5.1
constexpr std::size_t record_overhead_max = 5 + 1 + 16;  // section 5.2: header, type, tag

long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;  // all that is written is there
}

}  // namespace

int Channel::Wire::read(BIO* bio, char* to, int size) {
    Wire& wire = of(bio);
    BIO_clear_retry_flags(bio);
    if (wire.in.empty()) {
        BIO_set_retry_read(bio);
        return -1;
    }
    const std::size_t count = wire.in.copy(to, static_cast<std::size_t>(size));
    wire.in.remove_prefix(count);
    return static_cast<int>(count);
}

int Channel::Wire::write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    of(bio).out.append(bytes, static_cast<std::size_t>(size));
    return size;
}

BIO_METHOD* Channel::Wire::method() {
    static BIO_METHOD* const made = [] {
        BIO_METHOD* const one = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bytes");
        (void)BIO_meth_set_read(one, read);
        (void)BIO_meth_set_write(one, write);
        (void)BIO_meth_set_ctrl(one, control);
        return one;
    }();
    return made;
}

void Channel::Free::operator()(ssl_st* ssl) const {
    SSL_free(ssl);
}

Channel::Channel(Channel&&) noexcept = default;
Channel& Channel::operator=(Channel&&) noexcept = default;
Channel::~Channel() = default;

Channel::Channel() : wire_(std::make_unique<Wire>()) {}

Channel::Channel(const std::shared_ptr<TlsContext>& context, const std::string& peer)
    : context_(context), wire_(std::make_unique<Wire>()), ssl_(SSL_new(context->get())) {
    BIO* const bio = BIO_new(Wire::method());
    BIO_set_data(bio, wire_.get());
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    if (peer.empty()) {
        SSL_set_accept_state(ssl_.get());
        return;
    }
    SSL_set_connect_state(ssl_.get());
    // An address is no name, neither to ask for (RFC 6066 section 3) nor to be certified.
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), peer.c_str()) == 1) {
        (void)SSL_do_handshake(ssl_.get());
        return;
    }
    // What SSL_set_tlsext_host_name() is short for; it takes a copy.
    (void)SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                   const_cast<char*>(peer.c_str()));
    (void)SSL_set1_host(ssl_.get(), peer.c_str());
    (void)SSL_do_handshake(ssl_.get());  // which writes the ClientHello
}

Result<bool> Channel::receive(std::string_view bytes, std::string& plain) {
    if (!ssl_) {
        plain += bytes;
        return true;
    }
    wire_->in = bytes;
    while (true) {
        int got = 0;
        ERR_clear_error();  // SSL_get_error() looks at what others left there
        const std::size_t before = plain.size();
        // Each record's room is not filled with zeros first.
        plain.resize_and_overwrite(before + record_bytes_max, [&](char* all, std::size_t) {
            got = SSL_read(ssl_.get(), all + before, static_cast<int>(record_bytes_max));
            return before + static_cast<std::size_t>(std::max(got, 0));
        });
        if (got > 0) continue;
        const int why = SSL_get_error(ssl_.get(), got);
        if (why == SSL_ERROR_WANT_READ) return true;
        if (why == SSL_ERROR_ZERO_RETURN) return false;
        return fail(what_failed());
    }
}

bool Channel::ready() const {
    return !ssl_ || SSL_is_init_finished(ssl_.get()) == 1;
}

void Channel::send(std::string_view plain) {
    if (!ssl_) {
        wire_->out += plain;
        return;
    }
    // Grown record by record, it would be copied as often as it doubles.
    wire_->out.reserve(wire_->out.size() + plain.size() +
                       (plain.size() / record_bytes_max + 1) * record_overhead_max);
    while (!plain.empty()) {
        const auto part = plain.substr(0, record_bytes_max);
        // The wire takes all, so that nothing is ever to be repeated.
        if (SSL_write(ssl_.get(), part.data(), static_cast<int>(part.size())) <= 0) return;
        plain.remove_prefix(part.size());
    }
}

void Channel::finish() {
    if (!ssl_) return;
    (void)SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

std::string_view Channel::output() const {
    return std::string_view(wire_->out).substr(wire_->out_sent);
}

void Channel::sent(std::size_t bytes) {
    wire_->out_sent += bytes;
    if (wire_->out_sent < wire_->out.size()) return;
    wire_->out.clear();
    wire_->out_sent = 0;
}

void Channel::rest() {
    if (wire_->out.empty()) std::string().swap(wire_->out);
}

ShownCertificate Channel::shown() const {
    if (!ssl_) return {};
    std::unique_ptr<X509, void (*)(X509*)> own(SSL_get1_peer_certificate(ssl_.get()), X509_free);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (!own || X509_digest(own.get(), EVP_sha256(), digest.data(), &size) != 1) return {};
    STACK_OF(X509)* const others = SSL_get_peer_cert_chain(ssl_.get());
    std::shared_ptr<STACK_OF(X509)> chain(
        others == nullptr ? sk_X509_new_null() : X509_chain_up_ref(others),
        [](STACK_OF(X509) * all) { sk_X509_pop_free(all, X509_free); });
    if (!chain || sk_X509_insert(chain.get(), own.get(), 0) == 0) return {};
    ShownCertificate shown{.chain = std::move(chain)};
    std::tm until{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(own.get()), &until) != 1) return {};
    shown.until = std::chrono::system_clock::from_time_t(::timegm(&until));
    (void)own.release();  // the chain has it
    for (unsigned at = 0; at < size; ++at) shown.fingerprint += fmt::format("{:02x}", digest[at]);
    return shown;
}

std::string_view Channel::protocol() const {
    if (!ssl_) return "";
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

Error Channel::what_failed() const {
    const long verified = SSL_get_verify_result(ssl_.get());
    const auto code = ERR_peek_last_error();
    ERR_clear_error();
    if (SSL_is_server(ssl_.get()) == 0 && verified != X509_V_OK) {
        return make_error(ErrorCode::denied, fmt::format("its certificate is not trusted: {}",
                                                         X509_verify_cert_error_string(verified)));
    }
    if (SSL_is_server(ssl_.get()) == 0 && ERR_GET_LIB(code) == ERR_LIB_SSL &&
        ERR_GET_REASON(code) == SSL_R_TLSV1_ALERT_INTERNAL_ERROR) {
        return make_error(ErrorCode::unavailable,
                          "it has no place for another tunnel now (TLS alert internal_error)");
    }
    const char* const reason = ERR_reason_error_string(code);
    return make_error(ErrorCode::unavailable,
                      fmt::format("TLS: {}", reason != nullptr ? reason : "the connection broke"));
}

}  // namespace berth::tunnel
