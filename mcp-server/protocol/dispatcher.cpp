// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/dispatcher.h"

#include "mcp-server/jsonrpc/error_object.h"
#include "mcp-server/protocol/render.h"
#include "mcp-server/protocol/versions.h"

#include <fmt/format.h>

#include <array>

namespace berth::mcp {

using jsonrpc::error_text;

namespace {

/// Neither the tools nor what discover says change while the process runs.
constexpr int unchanging_ttl_ms = 300'000;
constexpr const char* server_info_key = "io.modelcontextprotocol/serverInfo";
/// Where a legacy result carries a tool's error: older clients check structuredContent against the
/// tool's outputSchema even when the call failed, and throw.
constexpr const char* error_key = "berth/error";

std::unexpected<Fault> invalid_params(std::string message) {
    return std::unexpected(
        Fault{.error = {.code = jsonrpc::invalid_params, .message = std::move(message)}});
}

Outcome refused(const std::optional<jsonrpc::Id>& id, const Fault& fault) {
    return {.http_status = fault.http_status, .text = error_text(id, fault.error)};
}

Outcome refused_batch(std::string why) {
    return refused(std::nullopt,
                   {.http_status = 400,
                    .error = {.code = jsonrpc::invalid_request, .message = std::move(why)}});
}

/// What a legacy message over HTTP must have before anything else is looked at.
std::expected<void, Fault> check_session(Session session) {
    if (session == Session::missing) {
        return std::unexpected(Fault{.http_status = 400,
                                     .error = {.code = implementation_error,
                                               .message = "the header Mcp-Session-Id is missing; "
                                                          "call initialize first"}});
    }
    if (session == Session::unknown) {
        return std::unexpected(
            Fault{.http_status = 404,
                  .error = {.code = session_not_found, .message = "Session not found"}});
    }
    return {};
}

/// The version a legacy session speaks, given what its client asked for.
std::string agreed_version(const Json& params) {
    const auto requested = params.at("protocolVersion").get<std::string>();
    return is_legacy_version(requested) ? requested : std::string(newest_legacy_version);
}

Json text_block(std::string text) {
    return {{"type", "text"}, {"text", std::move(text)}};
}

}  // namespace

struct Dispatcher::Method {
    std::string_view name;
    bool legacy;
    bool modern;
    ResultText (Dispatcher::*handler)(const Json& params, Era era, const Call& call) const;
};

const Dispatcher::Method* Dispatcher::find_method(std::string_view name, Era era) {
    static constexpr std::array methods = {
        Method{"initialize", true, false, &Dispatcher::initialize},
        Method{"ping", true, false, &Dispatcher::ping},
        Method{"server/discover", false, true, &Dispatcher::discover},
        Method{"tools/list", true, true, &Dispatcher::list_tools},
        Method{"tools/call", true, true, &Dispatcher::call_tool},
    };
    for (const Method& method : methods) {
        const bool offered = era == Era::modern ? method.modern : method.legacy;
        if (offered && method.name == name) return &method;
    }
    return nullptr;
}

Dispatcher::Dispatcher(ServerIdentity identity, ToolSet& tools)
    : identity_(std::move(identity)),
      tools_(tools),
      server_info_(
          {{"name", identity_.name}, {"title", identity_.title}, {"version", identity_.version}}) {
    std::string listing;
    for (const ToolEntry& tool : tools_.entries()) {
        listing += (listing.empty() ? "" : ",") + tool.listing;
        tool_names_.insert(tool.name);
    }
    const std::string meta = to_text({{server_info_key, server_info_}});
    legacy_tools_ = fmt::format(R"({{"tools":[{}]}})", listing);
    modern_tools_ = fmt::format(
        R"({{"resultType":"complete","tools":[{}],"ttlMs":{},"cacheScope":"public","_meta":{}}})",
        listing, unchanging_ttl_ms, meta);
    Json discovery = {{"supportedVersions", supported_versions},
                      {"capabilities", {{"tools", Json::object()}}},
                      {"instructions", identity_.instructions},
                      {"ttlMs", unchanging_ttl_ms},
                      {"cacheScope", "public"}};
    complete(discovery, Era::modern);
    discovery_ = to_text(discovery);
}

Outcome Dispatcher::answer(std::string_view text, const RequestContext& context) const {
    const auto payload = jsonrpc::parse(text);
    if (!payload) {
        return refused(payload.error().id, {.http_status = 400, .error = payload.error().error});
    }
    if (payload->batch) return answer_batch(*payload, context);
    const auto& message = payload->messages.front();
    if (message) return dispatch(*message, context);
    return refused(message.error().id, {.http_status = 400, .error = message.error().error});
}

Outcome Dispatcher::answer_batch(const jsonrpc::Payload& payload,
                                 const RequestContext& context) const {
    if (context.session_version != batch_version) {
        return refused_batch(fmt::format("only revision {} has batches", batch_version));
    }
    std::string answers;
    for (const auto& message : payload.messages) {
        Outcome outcome;
        if (!message) {
            outcome.text = error_text(message.error().id, message.error().error);
        } else {
            const auto* request = std::get_if<jsonrpc::Request>(&*message);
            const auto era = request ? check_envelope(*request, nullptr) : Era::legacy;
            if (era != Era::legacy || (request && request->method == "initialize")) {
                return refused_batch("initialize and requests of newer revisions come alone");
            }
            outcome = dispatch(*message, context);
        }
        if (outcome.http_status >= 400) return outcome;  // the session, which all of them share
        if (!outcome.text.empty()) answers += (answers.empty() ? "" : ",") + outcome.text;
    }
    if (answers.empty()) return {.http_status = 202};
    return {.text = "[" + answers + "]"};
}

Outcome Dispatcher::dispatch(const jsonrpc::Message& message, const RequestContext& context) const {
    if (const auto* request = std::get_if<jsonrpc::Request>(&message)) {
        return answer_request(*request, context);
    }
    // Nothing here is ever asked of a client, and every notification may be ignored.
    const auto era = check_version_header(context.headers);
    if (!era) return refused(std::nullopt, era.error());
    if (*era == Era::legacy) {
        if (auto session = check_session(context.session); !session) {
            return refused(std::nullopt, session.error());
        }
    }
    return {.http_status = 202};
}

Outcome Dispatcher::answer_request(const jsonrpc::Request& request,
                                   const RequestContext& context) const {
    const auto era = check_envelope(request, context.headers);
    if (!era) return refused(request.id, era.error());
    const bool begins = *era == Era::legacy && request.method == "initialize";
    if (*era == Era::legacy && !begins) {
        if (auto session = check_session(context.session); !session) {
            return refused(request.id, session.error());
        }
    }
    const Method* method = find_method(request.method, *era);
    if (method == nullptr) {
        return refused(
            request.id,
            {.http_status = *era == Era::modern ? 404 : 200,
             .error = {.code = jsonrpc::method_not_found,
                       .message = fmt::format("there is no method '{}'", request.method)}});
    }
    if (!request.params.is_object() && !request.params.is_null()) {
        return refused(request.id, invalid_params("params must be an object").error());
    }
    const auto result = run(*method, request.params, *era, context.call);
    if (!result) return refused(request.id, result.error());
    Outcome outcome{.text = jsonrpc::result_text(request.id, *result)};
    if (begins) outcome.agreed_version = agreed_version(request.params);
    return outcome;
}

Dispatcher::ResultText Dispatcher::run(const Method& method, const Json& params, Era era,
                                       const Call& call) const {
    try {
        return (this->*method.handler)(params, era, call);
    } catch (const std::exception& bug) {  // a result of another shape than its schema says
        return std::unexpected(Fault{.error = {.message = fmt::format("a bug: {}", bug.what())}});
    }
}

Dispatcher::ResultText Dispatcher::initialize(const Json& params, Era, const Call&) const {
    const Json* requested = member(params, "protocolVersion");
    if (requested == nullptr || !requested->is_string()) {
        return invalid_params("protocolVersion must be a string");
    }
    return to_text({{"protocolVersion", agreed_version(params)},
                    {"capabilities", {{"tools", Json::object()}}},
                    {"serverInfo", server_info_},
                    {"instructions", identity_.instructions}});
}

Dispatcher::ResultText Dispatcher::ping(const Json&, Era, const Call&) const {
    return "{}";
}

Dispatcher::ResultText Dispatcher::discover(const Json&, Era, const Call&) const {
    return discovery_;
}

Dispatcher::ResultText Dispatcher::list_tools(const Json& params, Era era, const Call&) const {
    if (member(params, "cursor") != nullptr) {
        return invalid_params("the list has one page, so no cursor is valid");
    }
    return era == Era::modern ? modern_tools_ : legacy_tools_;
}

Dispatcher::ResultText Dispatcher::call_tool(const Json& params, Era era, const Call& call) const {
    const Json* name = member(params, "name");
    if (name == nullptr || !name->is_string()) return invalid_params("name must be a string");
    const auto& tool = name->get_ref<const std::string&>();
    if (!tool_names_.contains(tool)) return invalid_params(fmt::format("Unknown tool: {}", tool));
    const Json* arguments = member(params, "arguments");
    if (arguments != nullptr && !arguments->is_object()) {
        return invalid_params("arguments must be an object");
    }
    const auto reply = tools_.call(tool, arguments ? *arguments : Json::object(), call);
    if (!reply && reply.error().code == ErrorCode::internal) {
        return std::unexpected(Fault{.error = jsonrpc::to_rpc_error(reply.error())});
    }
    Json result = reply ? tool_result(*reply) : tool_error(reply.error(), era);
    complete(result, era);
    return to_text(result);
}

Json Dispatcher::tool_result(const ToolReply& reply) const {
    if (const auto* raw = std::get_if<RawContent>(&reply)) {
        Json result = {{"content", raw->blocks}};
        if (raw->is_error) result["isError"] = true;
        return result;
    }
    const Json& value = std::get<TypedOutput>(reply).value;
    return {{"content", Json::array({text_block(render(value))})}, {"structuredContent", value}};
}

Json Dispatcher::tool_error(const Error& error, Era era) const {
    Json result = {{"content", Json::array({text_block(render(error))})}, {"isError", true}};
    const Json object = jsonrpc::error_object(error);
    if (era == Era::modern) {
        result["structuredContent"] = {{"error", object}};
    } else {
        result["_meta"] = {{error_key, object}};
    }
    return result;
}

void Dispatcher::complete(Json& result, Era era) const {
    if (era == Era::legacy) return;
    result["resultType"] = "complete";
    result["_meta"][server_info_key] = server_info_;
}

}  // namespace berth::mcp
