// SPDX-License-Identifier: Apache-2.0
// Certificates and rules of the two ends of tunnels: TLS 1.3, one application protocol, and nobody
// who is not known. Border of OpenSSL, with channel.cpp and front_probe.cpp.
#pragma once

#include "tools-schema/contract/result.h"
#include "tunnel/hello.h"

#include <filesystem>
#include <memory>
#include <string_view>

struct ssl_ctx_st;

namespace berth::tunnel {

/// Files in PEM form.
struct OwnCertificate {
    std::filesystem::path certificate = {};  // with its chain; "": none
    std::filesystem::path key = {};
};

class TlsContext {
public:
    /// Asks clients for a certificate, takes any and none: whose it is, is decided elsewhere.
    [[nodiscard]] static Result<std::shared_ptr<TlsContext>> server(const OwnCertificate& own);
    /// Trusts who is certified by `authorities`, or ("") by those this machine trusts. Offers that
    /// protocol alone, or ("") none.
    [[nodiscard]] static Result<std::shared_ptr<TlsContext>> client(
        const std::filesystem::path& authorities, const OwnCertificate& own,
        std::string_view protocol = alpn);

    [[nodiscard]] ssl_ctx_st* get() const { return context_.get(); }

private:
    explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
    [[nodiscard]] Result<> use(const OwnCertificate& own);
    struct Free {
        void operator()(ssl_ctx_st* context) const;
    };
    std::unique_ptr<ssl_ctx_st, Free> context_;
};

}  // namespace berth::tunnel
