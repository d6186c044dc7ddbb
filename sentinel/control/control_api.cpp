// SPDX-License-Identifier: Apache-2.0
#include "sentinel/control/control_api.h"

#include "tools-schema/contract/error_table.h"
#include "tools-schema/contract/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr std::string_view primaries_path = "/sentinel/primaries";
constexpr std::string_view peers_path = "/sentinel/peers";

HttpResponse unauthenticated(const Error& error) {
    auto response = json_response(401, to_text(Json{{"error", error.message}, {"code", "denied"}}));
    response.headers.emplace("connection", "close");  // strangers keep no place
    // A browser asks a person for the second one; the token is the password.
    response.headers.emplace("www-authenticate", "Bearer realm=\"berth-sentinel\"");
    response.headers.emplace("www-authenticate", "Basic realm=\"berth-sentinel\"");
    return response;
}

/// %XX of a query; nothing when it is malformed.
std::optional<std::string> decode_percent(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            out += text[at] == '+' ? ' ' : text[at];
            continue;
        }
        const auto digit = [&](std::size_t where) {
            constexpr std::string_view digits = "0123456789abcdef";
            if (where >= text.size()) return digits.npos;
            const char c = text[where];
            return digits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
        };
        const auto high = digit(at + 1), low = digit(at + 2);
        if (high == std::string::npos || low == std::string::npos) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        at += 2;
    }
    return out;
}

/// The last `pool` of a query; nothing when there is none.
Result<std::optional<std::string>> wanted_pool(std::string_view query) {
    std::optional<std::string> wanted;
    while (!query.empty()) {
        auto part = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(part.size() + 1, query.size()));
        if (part == "pool") part = "pool=";
        if (!part.starts_with("pool=")) continue;
        wanted = decode_percent(part.substr(std::string_view("pool=").size()));
        if (!wanted) return fail(ErrorCode::invalid_argument, "the query is malformed");
    }
    return wanted;
}

std::optional<SocketAddress> source_of(const HttpRequest& request) {
    if (request.peer_uid) return std::nullopt;
    const auto address = SocketAddress::parse(request.remote);
    return address ? std::optional(*address) : std::nullopt;
}

/// The token of an Authorization header; "" for none.
std::string token_of(const HttpRequest& request) {
    constexpr std::string_view bearer = "Bearer ", basic = "Basic ";
    const std::string* header = find_header(request.headers, "authorization");
    if (header == nullptr) return "";
    if (header->starts_with(bearer)) return header->substr(bearer.size());
    if (!header->starts_with(basic)) return "";
    const auto both = decode_base64(std::string_view(*header).substr(basic.size()));
    const auto colon = both ? both->find(':') : std::string::npos;
    return colon == std::string::npos ? "" : both->substr(colon + 1);
}

}  // namespace

HttpResponse refusal(const Error& error) {
    Json body{{"error", error.message}, {"code", error_info(error.code).name}};
    if (!error.field.empty()) body["field"] = error.field;
    if (!error.hint.empty()) body["next"] = error.hint;
    return json_response(error_info(error.code).http, to_text(body));
}

HttpResponse wrong_method(const char* allowed) {
    auto response = refusal(make_error(ErrorCode::invalid_argument, "method not allowed"));
    response.status = 405;
    response.headers.emplace("allow", allowed);
    return response;
}

std::string ControlApi::error_body(int /*status*/, std::string_view message) {
    return to_text(Json{{"error", message}});
}

/// Who can open the unix socket is an administrator; else a token or a certificate says it.
Result<Identity> ControlApi::who(const HttpRequest& request) const {
    if (request.peer_uid) {
        return Identity{.id = fmt::format("uid:{}", *request.peer_uid), .pools = {"*"}};
    }
    const std::string token = token_of(request);
    if (!token.empty()) return policy_.authenticate(token);
    if (!request.peer_certificate.empty()) {
        return policy_.authenticate_certificate(request.peer_certificate);
    }
    return fail(ErrorCode::denied, "a token is needed: Authorization: Bearer TOKEN");
}

HttpResponse ControlApi::answer(const HttpRequest& request) {
    const auto asking = who(request);
    if (!asking) return unauthenticated(asking.error());
    return answer(request, *asking);
}

HttpResponse ControlApi::answer(const HttpRequest& request, const Identity& who) {
    const std::string_view path = request.path;
    const bool get = request.method == "GET" || request.method == "HEAD";
    if (path == peers_path) return get ? list(request, who, true) : wrong_method("GET");
    if (path == primaries_path) {
        if (request.method == "POST") return enter(request, who);
        return get ? list(request, who, false) : wrong_method("GET, POST");
    }
    if (path.starts_with(primaries_path) && path[primaries_path.size()] == '/') {
        return change(request, who, path.substr(primaries_path.size() + 1));
    }
    if (request.peer_uid && path.starts_with("/sentinel/")) return administer(request);
    const bool known = path == "/status" || path == "/" || path == "/metrics" || path == "/health";
    if (!known) return refusal(make_error(ErrorCode::not_found, "nothing is here"));
    if (!get) return wrong_method("GET");
    if (path == "/health") {
        return {.status = 200, .headers = {{"content-type", "text/plain"}}, .body = "ok\n"};
    }
    const Status status = status_.look(who);
    if (path == "/status") return json_response(200, to_text(status_json(status)));
    if (path == "/") {
        return {.status = 200,
                .headers = {{"content-type", "text/html; charset=utf-8"},
                            {"cache-control", "no-store"},
                            {"content-security-policy",
                             "default-src 'none'; style-src 'unsafe-inline'"}},
                .body = status_page(status)};
    }
    if (!who.may_everything()) {
        return refusal(
            make_error(ErrorCode::denied, "metrics are of all pools, and the token is not"));
    }
    return {.status = 200,
            .headers = {{"content-type", "text/plain; version=0.0.4"}},
            .body = status_metrics(status)};
}

HttpResponse ControlApi::list(const HttpRequest& request, const Identity& who, bool peers) {
    const auto wanted = wanted_pool(request.query);
    if (!wanted) return refusal(wanted.error());
    if (*wanted && !who.may(**wanted)) {
        return refusal(
            make_error(ErrorCode::denied, fmt::format("not authorized for pool \"{}\"", **wanted)));
    }
    Json found = Json::array();
    for (const auto& registration : members_.list()) {
        const Claim& claim = registration.claim;
        if (!who.may(claim.pool) || (*wanted && claim.pool != **wanted)) continue;
        const Health health = status_.health(registration);
        if (peers && claim.lease == Lease::session) {
            found.push_back(peer_json(registration, health, options_.dialect));
        } else if (!peers && !claim.hostname.empty()) {
            found.push_back(primary_json(registration, health, options_.dialect));
        }
    }
    return json_response(200, to_text(Json{{peers ? "peers" : "primaries", std::move(found)}}));
}

HttpResponse ControlApi::enter(const HttpRequest& request, const Identity& who) {
    auto claim = parse_claim(request.body, source_of(request));
    if (!claim) return refusal(claim.error());
    if (!who.may(claim->pool)) {
        return refusal(make_error(ErrorCode::denied,
                                  fmt::format("not authorized for pool \"{}\"", claim->pool))
                           .at("/pool"));
    }
    claim->identity = who.id;
    const auto registered = members_.claim(*std::move(claim));
    if (!registered) return refusal(registered.error());
    // Revoked meanwhile: whoever revoked it has ended what there was before this.
    if (!request.peer_uid && !policy_.is_valid(who.id)) {
        (void)members_.release(registered->id);
        return unauthenticated(make_error(ErrorCode::denied, "invalid token"));
    }
    return json_response(
        201, to_text(primary_json(*registered, status_.health(*registered), options_.dialect)));
}

HttpResponse ControlApi::change(const HttpRequest& request, const Identity& who,
                                std::string_view encoded) {
    const auto pool = decode_percent(encoded);
    if (!pool) return refusal(make_error(ErrorCode::invalid_argument, "the path is malformed"));
    if (request.method != "PUT" && request.method != "DELETE") return wrong_method("PUT, DELETE");
    if (!who.may(*pool)) {
        return refusal(
            make_error(ErrorCode::denied, fmt::format("not authorized for pool \"{}\"", *pool)));
    }
    if (request.method == "DELETE") {
        const auto left = members_.leave(*pool);
        return left ? HttpResponse{.status = 204} : refusal(left.error());
    }
    const auto beaten = members_.beat(*pool);
    if (!beaten) return refusal(beaten.error());
    return json_response(200,
                         to_text(primary_json(*beaten, status_.health(*beaten), options_.dialect)));
}

}  // namespace berth::sentinel
