// SPDX-License-Identifier: Apache-2.0
#include "tunnel/carry/front_probe.h"

#include <openssl/ssl.h>

#include <memory>

namespace berth::tunnel {
namespace {

constexpr unsigned char record_alert = 21, record_handshake = 22;  // RFC 8446 section 5.1
constexpr std::size_t alert_bytes = 7;

}  // namespace

std::string hello_for(const std::string& name) {
    static const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(
        SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
    if (!ssl) return "";
    SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl.get());
    // What SSL_set_tlsext_host_name() is short for; it takes a copy.
    (void)SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                   const_cast<char*>(name.c_str()));
    (void)SSL_do_handshake(ssl.get());
    std::string bytes(BIO_ctrl_pending(SSL_get_wbio(ssl.get())), '\0');
    (void)BIO_read(SSL_get_wbio(ssl.get()), bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
}

std::string_view random_in(std::string_view hello) {
    // Behind the heads of the record and of the message, and two bytes of version (RFC 8446 4.1.2).
    constexpr std::size_t begin = 5 + 4 + 2, bytes = 32;
    return hello.size() < begin + bytes ? "" : hello.substr(begin, bytes);
}

std::optional<std::string> problem_in(std::string_view answer, unsigned char refused) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(answer[at]); };
    if (answer.empty()) return std::nullopt;
    if (byte(0) == record_handshake) return "";
    if (byte(0) != record_alert) return "speaks no TLS";
    if (answer.size() < alert_bytes) return std::nullopt;
    const unsigned char alert = byte(alert_bytes - 1);
    if (alert == alert_internal_error) return "answers with an error of its own";
    return alert == refused ? "is not known by that name" : "";
}

}  // namespace berth::tunnel
