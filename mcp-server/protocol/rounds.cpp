// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/rounds.h"

#include "mcp-server/protocol/envelope.h"

#include <fmt/format.h>

namespace berth::mcp {
namespace {

constexpr const char* state_purpose = "request_state";

bool is_url_elicitation(const Json& request) {
    const Json* params = member(request, "params");
    const Json* mode = params == nullptr ? nullptr : member(*params, "mode");
    return mode != nullptr && *mode == "url";
}

/// The capability that answering takes; a bare {"elicitation": {}} means forms only.
Json capability_for(const Json& request) {
    const std::string method = request.at("method");
    if (method == "sampling/createMessage") return {{"sampling", Json::object()}};
    if (method == "roots/list") return {{"roots", Json::object()}};
    if (is_url_elicitation(request)) return {{"elicitation", {{"url", Json::object()}}}};
    return {{"elicitation", Json::object()}};
}

bool declared(const Client& client, const Json& capability) {
    const std::string name = capability.begin().key();
    if (!client.can(name)) return false;
    if (capability.front().empty()) return true;
    return member(client.capabilities[name], "url") != nullptr;
}

std::expected<void, Fault> check_capabilities(const Client& client, const Json& requests) {
    for (const auto& request : requests) {
        const Json capability = capability_for(request);
        if (!declared(client, capability)) return capability_missing(capability);
    }
    return {};
}

/// Revisions before 2025-11-25 know forms only and have no word for it.
Json legacy_params(const Json& request, const std::string& version) {
    Json params = request.value("params", Json::object());
    if (version < newest_legacy_version) params.erase("mode");
    return params;
}

/// The older revisions have no code of its own for what a client cannot do.
Refusal in_legacy_words(Refusal refusal) {
    auto* fault = std::get_if<Fault>(&refusal);
    if (fault != nullptr && fault->error.code == missing_capability) {
        fault->error.code = implementation_error;
    }
    return refusal;
}

/// What the client answered. One that cannot show the question has not agreed to anything.
std::expected<Json, Fault> ask(const Json& request, const Asked& asked, Session& session,
                               Exchange& exchange) {
    const std::string method = request.at("method");
    auto answer = session.ask(exchange, method, legacy_params(request, asked.client.version),
                              asked.call.cancelled);
    if (!answer && method == "elicitation/create" && !asked.call.cancelled.stop_requested()) {
        return Json{{"action", "cancel"}};
    }
    return answer;
}

}  // namespace

std::expected<Json, Refusal> run_modern(const Step& step, Asked asked, const Json& params,
                                        const std::string& about, const auth::Seals& seals) {
    const auth::SealFor bound{
        .purpose = state_purpose, .principal = asked.client.principal, .about = about};
    if (const Json* state = member(params, "requestState")) {
        auto opened = seals.open(state->is_string() ? state->get<std::string>() : "", bound);
        if (!opened) {
            return std::unexpected(
                invalid_params(fmt::format("requestState {}", opened.error().message),
                               {{"reason", "invalid_request_state"}})
                    .error());
        }
        asked.state = *std::move(opened);
    }
    if (const Json* responses = member(params, "inputResponses")) asked.responses = *responses;
    auto answer = step(asked);
    if (!answer) return std::unexpected(answer.error());
    if (auto* result = std::get_if<Json>(&*answer)) {
        if (!result->contains("resultType")) (*result)["resultType"] = "complete";
        return std::move(*result);
    }
    const auto& needed = std::get<InputRequired>(*answer);
    if (auto able = check_capabilities(asked.client, needed.requests); !able) {
        return std::unexpected(able.error());
    }
    Json result = {{"resultType", "input_required"}, {"inputRequests", needed.requests}};
    if (!needed.state.is_null()) {
        result["requestState"] = seals.seal(needed.state, request_state_kept, bound);
    }
    return result;
}

std::expected<Json, Refusal> run_legacy(const Step& step, Asked asked, Session* session,
                                        Exchange* exchange) {
    for (int round = 0; round < legacy_rounds_max; ++round) {
        auto answer = step(asked);
        if (!answer) return std::unexpected(in_legacy_words(answer.error()));
        if (auto* result = std::get_if<Json>(&*answer)) return std::move(*result);
        const auto& needed = std::get<InputRequired>(*answer);
        if (auto able = check_capabilities(asked.client, needed.requests); !able) {
            return std::unexpected(in_legacy_words(able.error()));
        }
        if (session == nullptr || exchange == nullptr) {
            return std::unexpected(
                fault(200, implementation_error, "there is no way to ask the client").error());
        }
        asked.state = needed.state;
        asked.responses = Json::object();
        for (const auto& [key, request] : needed.requests.items()) {
            auto told = ask(request, asked, *session, *exchange);
            if (!told) return std::unexpected(told.error());
            asked.responses[key] = *std::move(told);
        }
    }
    return std::unexpected(
        fault(200, jsonrpc::internal_error, "the call asked the client too often").error());
}

}  // namespace berth::mcp
