// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/jwt.h"

#include "mcp-server/auth/crypto.h"
#include "mcp-server/auth/scopes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace berth::auth {
namespace {

using Time = std::chrono::system_clock::time_point;

/// The last second that a time_point of nanoseconds holds is in 2262.
constexpr double seconds_max = 9'000'000'000.0;
constexpr std::array<std::string_view, 3> types = {"at+jwt", "application/at+jwt", "jwt"};

std::unexpected<Error> malformed(std::string why) {
    return fail(ErrorCode::invalid_argument, "the access token " + std::move(why));
}

std::unexpected<Error> refused(std::string why) {
    return fail(ErrorCode::denied, "the access token " + std::move(why));
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    return text;
}

const Json* find(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() ? nullptr : &*found;
}

Result<Json> read_part(std::string_view part) {
    const auto bytes = decode_base64url(part);
    if (!bytes) return malformed("has a part that is not base64url");
    auto json = parse_json(*bytes, jwt_bytes_max);
    if (!json) return malformed("has a part that is " + json.error().message);
    if (!json->is_object()) return malformed("has a part that is no JSON object");
    return json;
}

Result<> read_header(const Json& header, Jwt& token) {
    const Json* name = find(header, "alg");
    const auto algorithm = name != nullptr && name->is_string()
                               ? algorithm_of(name->get<std::string>())
                               : std::nullopt;
    if (!algorithm) return malformed("is signed in a way that is not accepted");
    token.algorithm = *algorithm;
    // RFC 7515 section 4.1.11: who does not understand an extension must refuse the token.
    if (find(header, "crit") != nullptr) return malformed("has critical extensions");
    if (const Json* type = find(header, "typ")) {
        if (!type->is_string() ||
            std::ranges::find(types, lower(type->get<std::string>())) == types.end()) {
            return malformed("is of another type");
        }
    }
    if (const Json* kid = find(header, "kid")) {
        if (!kid->is_string()) return malformed("names its key by what is no string");
        token.kid = kid->get<std::string>();
    }
    return {};
}

/// A NumericDate (RFC 7519 section 2); nothing for what is none.
std::optional<Time> time_of(const Json& value) {
    if (!value.is_number()) return std::nullopt;
    const double seconds = value.get<double>();
    if (!std::isfinite(seconds) || seconds < 0 || seconds > seconds_max) return std::nullopt;
    return Time(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

Result<Time> check_times(const Json& claims, Time now) {
    const Json* exp = find(claims, "exp");
    const auto expires = exp != nullptr ? time_of(*exp) : std::nullopt;
    if (!expires) return refused("does not say when it expires");
    if (*expires + jwt_leeway <= now) return refused("has expired");
    if (const Json* nbf = find(claims, "nbf")) {
        const auto begins = time_of(*nbf);
        if (!begins || *begins - jwt_leeway > now) return refused("is not valid yet");
    }
    return *expires;
}

bool is_for(const Json& claims, const std::string& audience) {
    const Json* aud = find(claims, "aud");
    if (aud == nullptr) return false;
    if (aud->is_string()) return *aud == audience;
    return aud->is_array() && aud->size() <= audiences_max &&
           std::ranges::any_of(*aud, [&](const Json& one) { return one == audience; });
}

std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        if (end > at) words.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

/// "scope" is RFC 9068's, as one string; "scp" is what others have, as a string or a list.
Result<std::vector<std::string>> scopes_of(const Json& claims) {
    const Json* value = find(claims, "scope");
    if (value == nullptr) value = find(claims, "scp");
    std::vector<std::string> scopes;
    if (value == nullptr) return scopes;
    if (value->is_string()) {
        scopes = words_of(value->get<std::string>());
    } else if (value->is_array() &&
               std::ranges::all_of(*value, [](const Json& one) { return one.is_string(); })) {
        scopes = value->get<std::vector<std::string>>();
    } else {
        return refused("has scopes that are no strings");
    }
    if (scopes.size() > scopes_max || !std::ranges::all_of(scopes, is_scope)) {
        return refused("has scopes that are too many or malformed");
    }
    return scopes;
}

bool is_name(const Json* value) {
    if (value == nullptr || !value->is_string()) return false;
    const auto& text = value->get_ref<const std::string&>();
    return !text.empty() && text.size() <= subject_bytes_max &&
           std::ranges::none_of(text, [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
}

Result<std::string> principal_of(const Json& claims) {
    const Json* subject = find(claims, "sub");
    const Json* client = find(claims, "client_id");
    if (is_name(subject)) return "oauth:" + subject->get<std::string>();
    if (subject == nullptr && is_name(client)) return "oauth-client:" + client->get<std::string>();
    return refused("does not say whose it is");
}

}  // namespace

Result<Jwt> parse_jwt(std::string_view text) {
    if (text.size() > jwt_bytes_max) {
        return malformed(fmt::format("has more than {} bytes", jwt_bytes_max));
    }
    const std::size_t first = text.find('.');
    const std::size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
    if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos) {
        return malformed("does not have three parts");
    }
    Jwt token;
    BERTH_TRY(read_header(BERTH_TRY(read_part(text.substr(0, first))), token));
    token.claims = BERTH_TRY(read_part(text.substr(first + 1, second - first - 1)));
    token.content = text.substr(0, second);
    auto signature = decode_base64url(text.substr(second + 1));
    if (!signature || signature->empty()) return malformed("has no signature");
    token.signature = *std::move(signature);
    return token;
}

Result<AccessToken> verify_jwt(const Jwt& token, const Jwks& keys, const JwtRules& rules,
                               Time now) {
    const Jwk* key = keys.find(token.kid, token.algorithm);
    if (key == nullptr) {
        return fail(ErrorCode::not_found, "the access token is signed with an unknown key");
    }
    if (!verifies(*key, token.algorithm, token.content, token.signature)) {
        return refused("has a wrong signature");
    }
    const Json* issuer = find(token.claims, "iss");
    // Rules that name nobody must not be met by claims that name nobody.
    if (rules.issuer.empty() || rules.audience.empty()) return refused("cannot be checked here");
    if (issuer == nullptr || *issuer != rules.issuer) return refused("is of another issuer");
    if (!is_for(token.claims, rules.audience)) return refused("is for another resource");
    const Time expires = BERTH_TRY(check_times(token.claims, now));
    auto scopes = BERTH_TRY(scopes_of(token.claims));
    return AccessToken{.principal = BERTH_TRY(principal_of(token.claims)),
                       .scopes = std::move(scopes),
                       .expires = expires};
}

}  // namespace berth::auth
