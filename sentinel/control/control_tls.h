// SPDX-License-Identifier: Apache-2.0
// TLS for the control plane: our certificate, and that of who connects, if it has one. Whether such
// a certificate may do anything is the token policy's business, which knows them one by one.
#pragma once

#include "base/http_server.h"

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

struct ssl_ctx_st;

namespace berth::sentinel {

/// May be used from any thread.
class ControlTls {
public:
    [[nodiscard]] static Result<std::unique_ptr<ControlTls>> load(std::filesystem::path certificate,
                                                                  std::filesystem::path key);
    /// New connections get what the files have now; on an error it stays as it was.
    [[nodiscard]] Result<> reload();
    /// For HttpServerOptions::secure.
    [[nodiscard]] std::unique_ptr<HttpSecurity> accept(int socket);

private:
    ControlTls(std::filesystem::path certificate, std::filesystem::path key)
        : certificate_(std::move(certificate)), key_(std::move(key)) {}
    const std::filesystem::path certificate_, key_;
    std::mutex mutex_;
    std::shared_ptr<ssl_ctx_st> context_;
};

/// SHA-256 of the DER of the first certificate in a PEM file, in hexadecimal.
[[nodiscard]] Result<std::string> fingerprint_of(const std::filesystem::path& certificate);

}  // namespace berth::sentinel
