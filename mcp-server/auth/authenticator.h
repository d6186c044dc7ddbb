// SPDX-License-Identifier: Apache-2.0
// Who sends a request over HTTP, or what to answer instead: an OAuth 2.1 resource server (RFC 6750,
// RFC 9728) that also takes tokens given out by hand.
#pragma once

#include "base/clock.h"
#include "base/http_message.h"
#include "mcp-server/auth/jwt.h"
#include "mcp-server/auth/key_source.h"
#include "mcp-server/auth/tokens.h"
#include "tools-schema/contract/json.h"

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::auth {

/// Who calls, and what for.
struct Caller {
    std::string principal;  // "token:ci", "oauth:ada", "uid:1000", "local:127.0.0.1"
    std::vector<std::string> scopes = {};
    bool all_scopes = false;
    std::optional<std::chrono::system_clock::time_point> expires = {};

    [[nodiscard]] bool may(std::string_view scope) const;
};

/// A request that is not served, as HTTP says so.
struct Challenge {
    int status = 401;
    std::string www_authenticate = {};  // "": no such header
    std::string message = {};           // for the caller
    std::string detail = {};            // for the log alone
};

struct AuthenticatorOptions {
    std::string resource = {};  // the public URL of /mcp: the audience, and the metadata's place
    std::string issuer = {};    // "": no access tokens of an authorization server
    std::vector<std::string> authorization_servers = {};  // empty: the issuer
};

/// Safe from many threads.
class Authenticator {
public:
    /// `tokens` and `keys` may each be null. With neither, whoever can connect may do everything.
    Authenticator(AuthenticatorOptions options, std::unique_ptr<TokenStore> tokens,
                  std::unique_ptr<KeySource> keys, const Clock& clock);

    [[nodiscard]] std::expected<Caller, Challenge> check(const HttpRequest& request) const;

    /// 403: the caller is known, and may not do this.
    [[nodiscard]] Challenge insufficient_scope(const Caller& caller, std::string_view needed) const;

    /// The protected-resource metadata, when that is what the path asks for and there is an
    /// authorization server to name.
    [[nodiscard]] std::optional<Json> metadata_at(std::string_view path) const;

    /// False when everybody is let in.
    [[nodiscard]] bool required() const { return tokens_ != nullptr || keys_ != nullptr; }

private:
    [[nodiscard]] std::string challenge_header(
        const std::vector<std::pair<std::string, std::string>>& parameters) const;
    [[nodiscard]] Challenge bad_request(std::string_view why) const;
    [[nodiscard]] Challenge invalid_token(std::string_view why) const;
    [[nodiscard]] std::expected<Caller, Challenge> check_static(std::string_view token) const;
    [[nodiscard]] std::expected<Caller, Challenge> check_signed(std::string_view token) const;
    [[nodiscard]] Result<AccessToken> verify(const Jwt& token) const;

    AuthenticatorOptions options_;
    std::string metadata_path_;  // of the resource itself, besides the one at the root
    std::string metadata_url_;
    std::unique_ptr<TokenStore> tokens_;
    std::unique_ptr<KeySource> keys_;
    const Clock* clock_;
};

}  // namespace berth::auth
