// SPDX-License-Identifier: Apache-2.0
// What administrators change while the sentinel runs.
#include "sentinel/control/control_api.h"
#include "tools-schema/contract/decode.h"

#include <utility>

namespace berth::sentinel {
namespace {

constexpr std::string_view tokens_path = "/sentinel/tokens";
constexpr std::string_view hostnames_path = "/sentinel/hostnames/";
constexpr std::size_t text_bytes_max = 255;

Json token_json(const Credential& credential) {
    return Json{{"id", credential.id},
                {"kind", credential.kind == CredentialKind::token ? "token" : "certificate"},
                {"source", credential.source == CredentialSource::made ? "made" : "configured"},
                {"pools", credential.pools}};
}

}  // namespace

HttpResponse ControlApi::administer(const HttpRequest& request) {
    const std::string_view path = request.path;
    if (path == tokens_path) {
        if (request.method == "POST") return make_token(request);
        if (request.method != "GET") return wrong_method("GET, POST");
        Json tokens = Json::array();
        for (const auto& credential : policy_.list()) tokens.push_back(token_json(credential));
        return json_response(200, to_text(Json{{"tokens", std::move(tokens)}}));
    }
    if (path.starts_with(tokens_path) && path[tokens_path.size()] == '/') {
        if (request.method != "DELETE") return wrong_method("DELETE");
        const auto revoked = policy_.revoke(std::string(path.substr(tokens_path.size() + 1)));
        return revoked ? HttpResponse{.status = 204} : refusal(revoked.error());
    }
    if (path.starts_with(hostnames_path)) {
        if (request.method != "PUT") return wrong_method("PUT");
        return give_name(request, path.substr(hostnames_path.size()));
    }
    return refusal(make_error(ErrorCode::not_found, "nothing is here"));
}

HttpResponse ControlApi::make_token(const HttpRequest& request) {
    const auto document = parse_json(request.body);
    if (!document) return refusal(document.error());
    Problems problems;
    ObjectReader reader(*document, "", {"id", "pools"}, problems);
    const auto id = reader.required<std::string>("id", {.length_max = text_bytes_max});
    const auto pools = reader.required_list<std::string>(
        "pools", {.length_min = 1, .length_max = pools_per_credential_max},
        {.length_max = text_bytes_max});
    if (!problems.empty()) return refusal(problems.error());
    const auto token = policy_.create(*id, *pools);
    if (!token) return refusal(token.error());
    return json_response(201, to_text(Json{{"id", *id}, {"pools", *pools}, {"token", *token}}));
}

HttpResponse ControlApi::give_name(const HttpRequest& request, std::string_view name) {
    const auto document = parse_json(request.body);
    if (!document) return refusal(document.error());
    Problems problems;
    ObjectReader reader(*document, "", {"pool"}, problems);
    const auto pool = reader.required<std::string>("pool", {.length_max = text_bytes_max});
    if (!problems.empty()) return refusal(problems.error());
    const auto given = members_.transfer(name, *pool);
    if (!given) return refusal(given.error());
    return json_response(200, to_text(Json{{"hostname", name}, {"pool", *pool}}));
}

}  // namespace berth::sentinel
