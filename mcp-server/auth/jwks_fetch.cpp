// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/jwks_fetch.h"

#include "mcp-server/auth/jwk.h"

#include <fmt/format.h>
#include <httplib.h>

#include <csignal>

namespace berth::auth {
namespace {

/// Sends the request on a client that is set up for its scheme.
Result<std::string> get(httplib::ClientImpl& client, const JwksUrl& url) {
    client.set_connection_timeout(jwks_connect_timeout);
    client.set_read_timeout(jwks_read_timeout);
    client.set_write_timeout(jwks_read_timeout);
    client.set_follow_location(false);
    const auto deadline = std::chrono::steady_clock::now() + jwks_total_timeout;
    std::string body;
    bool too_much = false;
    const auto answer = client.Get(url.path, [&](const char* bytes, std::size_t count) {
        too_much = body.size() + count > jwks_bytes_max;
        if (too_much || std::chrono::steady_clock::now() > deadline) return false;
        body.append(bytes, count);
        return true;
    });
    const std::string place = fmt::format("{}:{}", url.host, url.port);
    if (too_much) {
        return fail(ErrorCode::quota_exceeded,
                    fmt::format("{} answers with more than {} bytes", place, jwks_bytes_max));
    }
    if (!answer) {
        return fail(ErrorCode::unavailable, fmt::format("no answer from {}: {}", place,
                                                        httplib::to_string(answer.error())));
    }
    if (answer->status != 200) {
        return fail(ErrorCode::unavailable,
                    fmt::format("{} answers with status {}", place, answer->status));
    }
    return body;
}

}  // namespace

Result<std::string> fetch_jwks(const JwksUrl& url, const std::string& ca_file) {
    // cpp-httplib writes without MSG_NOSIGNAL.
    (void)::signal(SIGPIPE, SIG_IGN);
    try {
        if (!url.tls) {
            httplib::ClientImpl client(url.host, url.port);
            return get(client, url);
        }
        httplib::SSLClient client(url.host, url.port);
        if (!client.is_valid()) return fail(ErrorCode::unavailable, "TLS cannot be set up");
        client.enable_server_certificate_verification(true);
        if (!ca_file.empty()) client.set_ca_cert_path(ca_file);
        return get(client, url);
    } catch (const std::exception& problem) {
        return fail(ErrorCode::unavailable,
                    fmt::format("no keys from {}: {}", url.host, problem.what()));
    }
}

}  // namespace berth::auth
