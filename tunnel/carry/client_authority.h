// SPDX-License-Identifier: Apache-2.0
// Which client certificates count without being known one by one: those that an authority has
// signed for this purpose, and that name the pools they are for. Border of OpenSSL.
#pragma once

#include "tools-schema/contract/result.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct stack_st_X509;
struct x509_store_st;

namespace berth::tunnel {

/// A certificate names a pool by a subject alternative name of kind URI: "berth-pool:prod".
constexpr std::string_view pool_uri_scheme = "berth-pool:";

/// A certificate whose key the peer has, as TLS has shown, with what it sent to certify it.
struct ShownCertificate {
    std::shared_ptr<stack_st_X509> chain = {};  // its own first; nothing: it has shown none
    std::string fingerprint = {};               // SHA-256 of its own in hexadecimal, "" for none
    std::chrono::system_clock::time_point until = {};  // when its own expires
};

/// May be asked from any thread.
class ClientAuthority {
public:
    /// A PEM file of authorities. With revocation lists in it, they count too, and a certificate
    /// whose issuer has none there is refused.
    [[nodiscard]] static Result<std::shared_ptr<const ClientAuthority>> load(
        const std::filesystem::path& file);

    /// What a certificate names behind pool_uri_scheme, whatever that is; `denied` with the reason
    /// for one that is not certified now.
    [[nodiscard]] Result<std::vector<std::string>> pools_of(const ShownCertificate& shown) const;

private:
    explicit ClientAuthority(x509_store_st* store) : store_(store) {}
    struct Free {
        void operator()(x509_store_st* store) const;
    };
    std::unique_ptr<x509_store_st, Free> store_;
};

}  // namespace berth::tunnel
