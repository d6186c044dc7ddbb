// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/authenticator.h"

#include "mcp-server/auth/scopes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace berth::auth {
namespace {

constexpr std::string_view well_known = "/.well-known/oauth-protected-resource";
constexpr std::string_view bearer = "bearer";

char lower_case(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool equal_without_case(std::string_view one, std::string_view other) {
    return std::ranges::equal(one, other, {}, lower_case, lower_case);
}

/// b64token of RFC 6750 section 2.1.
bool is_bearer_token(std::string_view text) {
    const std::string_view body = text.substr(0, text.find('='));
    return !body.empty() && text.find_first_not_of('=', body.size()) == text.npos &&
           body.find_first_not_of(
               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
               "0123456789-._~+/") == body.npos;
}

std::string without_escapes(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        unsigned int byte = 0;
        const std::string_view pair = text[at] == '%' ? text.substr(at + 1, 2) : "";
        const char* const last = pair.data() + pair.size();
        const bool escaped =
            pair.size() == 2 && std::from_chars(pair.data(), last, byte, 16).ptr == last;
        out += escaped ? static_cast<char>(byte) : text[at];
        if (escaped) at += 2;
    }
    return out;
}

bool has_query_parameter(std::string_view query, std::string_view name) {
    const std::string plain = without_escapes(query);
    for (std::size_t at = 0; at != std::string::npos;) {
        const std::string_view rest = std::string_view(plain).substr(at);
        if (rest.starts_with(name) &&
            (rest.size() == name.size() || rest[name.size()] == '=' || rest[name.size()] == '&')) {
            return true;
        }
        const std::size_t next = plain.find('&', at);
        at = next == std::string::npos ? next : next + 1;
    }
    return false;
}

std::string_view without_port(std::string_view remote) {
    return remote.substr(0, remote.rfind(':'));
}

Caller local_caller(const HttpRequest& request) {
    return {.principal = request.peer_uid ? fmt::format("uid:{}", *request.peer_uid)
                                          : fmt::format("local:{}", without_port(request.remote)),
            .all_scopes = true};
}

std::string in_quotes(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c >= ' ' && c <= '~' ? c : '?';
    }
    return out + "\"";
}

}  // namespace

bool Caller::may(std::string_view scope) const {
    return all_scopes || grants(scopes, scope);
}

Authenticator::Authenticator(AuthenticatorOptions options, std::unique_ptr<TokenStore> tokens,
                             std::unique_ptr<KeySource> keys, const Clock& clock)
    : options_(std::move(options)),
      tokens_(std::move(tokens)),
      keys_(std::move(keys)),
      clock_(&clock) {
    if (options_.authorization_servers.empty()) {
        options_.authorization_servers.push_back(options_.issuer);
    }
    const std::size_t scheme = options_.resource.find("://");
    if (keys_ == nullptr || scheme == std::string::npos) return;
    const std::size_t path =
        std::min(options_.resource.find('/', scheme + 3), options_.resource.size());
    metadata_path_ = std::string(well_known) + options_.resource.substr(path);
    metadata_url_ = options_.resource.substr(0, path) + metadata_path_;
}

std::string Authenticator::challenge_header(
    const std::vector<std::pair<std::string, std::string>>& parameters) const {
    std::vector<std::string> parts;
    for (const auto& [name, value] : parameters) {
        parts.push_back(fmt::format("{}={}", name, in_quotes(value)));
    }
    if (!metadata_url_.empty()) {
        parts.push_back(fmt::format("resource_metadata={}", in_quotes(metadata_url_)));
    }
    if (parts.empty()) parts.emplace_back("realm=\"berth\"");
    return fmt::format("Bearer {}", fmt::join(parts, ", "));
}

Challenge Authenticator::bad_request(std::string_view why) const {
    return {.status = 400,
            .www_authenticate = challenge_header(
                {{"error", "invalid_request"}, {"error_description", std::string(why)}}),
            .message = std::string(why)};
}

Challenge Authenticator::invalid_token(std::string_view why) const {
    return {.status = 401,
            .www_authenticate = challenge_header(
                {{"error", "invalid_token"}, {"error_description", std::string(why)}}),
            .message = std::string(why)};
}

std::expected<Caller, Challenge> Authenticator::check(const HttpRequest& request) const {
    // Queries end up in logs and histories, so that a token there is no secret any more.
    if (has_query_parameter(request.query, "access_token")) {
        return std::unexpected(
            bad_request("a token belongs in the Authorization header, not in the URL"));
    }
    if (!required()) return local_caller(request);
    const auto count = request.headers.count("authorization");
    if (count > 1)
        return std::unexpected(bad_request("there is more than one Authorization header"));
    const std::string* header = find_header(request.headers, "authorization");
    const std::string_view value = header != nullptr ? std::string_view(*header) : "";
    const std::size_t space = std::min(value.find(' '), value.size());
    if (!equal_without_case(value.substr(0, space), bearer)) {
        const std::string scopes = fmt::format("{}", fmt::join(catalogue_scopes(), " "));
        return std::unexpected(Challenge{
            .status = 401,
            .www_authenticate = metadata_url_.empty() ? challenge_header({})
                                                      : challenge_header({{"scope", scopes}}),
            .message = "a bearer token is needed: send it as 'Authorization: Bearer TOKEN'"});
    }
    std::string_view token = value.substr(space);
    token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
    if (token.size() > jwt_bytes_max || !is_bearer_token(token)) {
        return std::unexpected(bad_request("the Authorization header is malformed"));
    }
    return token.starts_with(token_prefix) ? check_static(token) : check_signed(token);
}

std::expected<Caller, Challenge> Authenticator::check_static(std::string_view token) const {
    if (tokens_ == nullptr) return std::unexpected(invalid_token("the token is not valid"));
    auto known = tokens_->verify(token);
    if (known) {
        return Caller{.principal = "token:" + known->id,
                      .scopes = std::move(known->scopes),
                      .expires = known->expires_at};
    }
    if (known.error().code != ErrorCode::not_found) {
        return std::unexpected(Challenge{.status = 503,
                                         .message = "tokens cannot be checked now",
                                         .detail = known.error().message});
    }
    Challenge challenge = invalid_token("the token is not valid");
    challenge.detail = known.error().message;
    return std::unexpected(std::move(challenge));
}

Result<AccessToken> Authenticator::verify(const Jwt& token) const {
    const JwtRules rules{.issuer = options_.issuer, .audience = options_.resource};
    const auto known = BERTH_TRY(keys_->keys(false));
    auto verified = verify_jwt(token, *known, rules, clock_->wall());
    if (verified || verified.error().code != ErrorCode::not_found) return verified;
    // The server may have changed its keys since they were fetched.
    const auto newer = BERTH_TRY(keys_->keys(true));
    if (newer == known) return verified;
    return verify_jwt(token, *newer, rules, clock_->wall());
}

std::expected<Caller, Challenge> Authenticator::check_signed(std::string_view token) const {
    if (keys_ == nullptr) return std::unexpected(invalid_token("the token is not valid"));
    const auto parsed = parse_jwt(token);
    if (!parsed) return std::unexpected(invalid_token(parsed.error().message));
    auto verified = verify(*parsed);
    if (verified) {
        return Caller{.principal = std::move(verified->principal),
                      .scopes = std::move(verified->scopes),
                      .expires = verified->expires};
    }
    if (verified.error().code == ErrorCode::unavailable) {
        return std::unexpected(Challenge{.status = 503,
                                         .message = "access tokens cannot be checked now",
                                         .detail = verified.error().message});
    }
    return std::unexpected(invalid_token(verified.error().message));
}

Challenge Authenticator::insufficient_scope(const Caller& caller, std::string_view needed) const {
    // What is there already is named too: a client asks for exactly what it is told.
    std::vector<std::string> scopes;
    std::ranges::copy_if(caller.scopes, std::back_inserter(scopes), is_scope);
    scopes.emplace_back(needed);
    const std::string why = fmt::format("this needs the scope {}", needed);
    return {
        .status = 403,
        .www_authenticate = challenge_header({{"error", "insufficient_scope"},
                                              {"scope", fmt::format("{}", fmt::join(scopes, " "))},
                                              {"error_description", why}}),
        .message = why};
}

std::optional<Json> Authenticator::metadata_at(std::string_view path) const {
    if (metadata_url_.empty() || (path != well_known && path != metadata_path_)) {
        return std::nullopt;
    }
    return Json{{"resource", options_.resource},
                {"authorization_servers", options_.authorization_servers},
                {"scopes_supported", catalogue_scopes()},
                {"bearer_methods_supported", Json::array({"header"})},
                {"resource_name", "berth"}};
}

}  // namespace berth::auth
