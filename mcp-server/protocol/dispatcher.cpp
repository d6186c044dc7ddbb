// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/dispatcher.h"

#include "mcp-server/jsonrpc/error_object.h"
#include "mcp-server/protocol/circumstances.h"
#include "mcp-server/protocol/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace berth::mcp {

using jsonrpc::error_text;

namespace {

/// Neither the tools nor what discover says change while the process runs.
constexpr const char* server_info_key = "io.modelcontextprotocol/serverInfo";

Outcome refused(const std::optional<jsonrpc::Id>& id, const Fault& fault) {
    return {.http_status = fault.http_status,
            .text = error_text(id, fault.error),
            .www_authenticate = fault.www_authenticate};
}

Outcome refused_batch(std::string why) {
    return refused(std::nullopt, fault(400, jsonrpc::invalid_request, std::move(why)).error());
}

/// What a legacy message over HTTP must have before anything else is looked at.
std::expected<void, Fault> check_session(SessionState session) {
    if (session == SessionState::missing) {
        return fault(400, implementation_error,
                     "the header Mcp-Session-Id is missing; call initialize first");
    }
    if (session == SessionState::unknown) {
        return fault(404, session_not_found, "Session not found");
    }
    return {};
}

/// The version a legacy session speaks, given what its client asked for.
std::string agreed_version(const Json& params) {
    const auto requested = params.at("protocolVersion").get<std::string>();
    return is_legacy_version(requested) ? requested : std::string(newest_legacy_version);
}

Json object_or_empty(const Json* value) {
    return value != nullptr && value->is_object() ? *value : Json::object();
}

Client client_of(const jsonrpc::Request& request, Era era, const RequestContext& context) {
    Client client{.era = era, .principal = context.principal, .tools = context.tools};
    if (era == Era::modern) {
        client.version = modern_version;
        client.capabilities = request.params.at("_meta").at(capabilities_key);
    } else if (context.session) {
        client.version = context.session->version();
        client.capabilities = context.session->capabilities();
    }
    return client;
}

}  // namespace

struct Dispatcher::Method {
    std::string_view name;
    bool legacy;
    bool modern;
    bool waits;  // for something outside this process
    Handler handler;
    bool (*offered)(const Offer&);
};

const Dispatcher::Method* Dispatcher::find_method(std::string_view name, Era era) const {
    constexpr auto always = [](const Offer&) { return true; };
    constexpr auto resources = [](const Offer& offer) { return offer.resources != nullptr; };
    constexpr auto prompts = [](const Offer& offer) { return offer.prompts != nullptr; };
    constexpr auto completions = [](const Offer& offer) { return offer.completer != nullptr; };
    constexpr auto tasks = [](const Offer& offer) { return offer.tasks != nullptr; };
    using D = Dispatcher;
    static constexpr std::array methods = {
        Method{"initialize", true, false, false, &D::initialize, always},
        Method{"ping", true, false, false, &D::ping, always},
        Method{"logging/setLevel", true, false, false, &D::set_level, always},
        Method{"server/discover", false, true, false, &D::discover, always},
        Method{"tools/list", true, true, false, &D::list_tools, always},
        Method{"tools/call", true, true, true, &D::call_tool, always},
        Method{"resources/list", true, true, true, &D::list_resources, resources},
        Method{"resources/templates/list", true, true, false, &D::list_templates, resources},
        Method{"resources/read", true, true, true, &D::read_resource, resources},
        Method{"resources/subscribe", true, false, false, &D::subscribe, resources},
        Method{"resources/unsubscribe", true, false, false, &D::unsubscribe, resources},
        Method{"prompts/list", true, true, false, &D::list_prompts, prompts},
        Method{"prompts/get", true, true, true, &D::get_prompt, prompts},
        Method{"completion/complete", true, true, true, &D::complete_argument, completions},
        Method{"tasks/get", false, true, true, &D::get_task, tasks},
        Method{"tasks/update", false, true, true, &D::update_task, tasks},
        Method{"tasks/cancel", false, true, true, &D::cancel_task, tasks},
    };
    for (const Method& method : methods) {
        const bool known = era == Era::modern ? method.modern : method.legacy;
        if (known && method.name == name && method.offered(offer_)) return &method;
    }
    return nullptr;
}

Dispatcher::Dispatcher(const Offer& offer, Hub& hub, auth::Seals seals)
    : offer_(offer),
      hub_(hub),
      seals_(std::move(seals)),
      server_info_({{"name", offer.identity.name},
                    {"title", offer.identity.title},
                    {"version", offer.identity.version}}) {
    for (const ToolEntry& tool : offer_.tools.entries()) {
        const Json listing = Json::parse(tool.listing);  // ours, and linted
        tools_.emplace(tool.name, mirrored_params(listing.at("inputSchema")));
    }
    Json discovery = {{"supportedVersions", supported_versions},
                      {"capabilities", capabilities(Era::modern)},
                      {"instructions", offer.identity.instructions},
                      {"ttlMs", unchanging_ttl_ms},
                      {"cacheScope", "public"}};
    discovery_ = finished(std::move(discovery), Era::modern);
    modern_tail_ = fmt::format(R"("ttlMs":{},"_meta":{})", unchanging_ttl_ms,
                               to_text({{server_info_key, server_info_}}));
}

Json Dispatcher::capabilities(Era era) const {
    const auto changing = [](bool changes) {
        return changes ? Json{{"listChanged", true}} : Json::object();
    };
    Json out = {{"tools", changing(offer_.tools_change)}, {"logging", Json::object()}};
    if (offer_.resources != nullptr) {
        out["resources"] = changing(offer_.resources_change);
        out["resources"]["subscribe"] = true;
    }
    if (offer_.prompts != nullptr) out["prompts"] = changing(offer_.prompts_change);
    if (offer_.completer != nullptr) out["completions"] = Json::object();
    if (offer_.tasks != nullptr && era == Era::modern) {
        out["extensions"] = {{tasks_extension, Json::object()}};
    }
    return out;
}

Interest Dispatcher::changing_lists() const {
    return {.tools = offer_.tools_change,
            .prompts = offer_.prompts_change,
            .resources = offer_.resources_change};
}

bool Dispatcher::may_wait(const jsonrpc::Payload& payload) {
    static constexpr std::array waiting = {
        std::string_view("tools/call"),          std::string_view("resources/list"),
        std::string_view("resources/read"),      std::string_view("prompts/get"),
        std::string_view("completion/complete"), std::string_view("tasks/get"),
        std::string_view("tasks/update"),        std::string_view("tasks/cancel")};
    return std::ranges::any_of(payload.messages, [](const auto& message) {
        const auto* request = message ? std::get_if<jsonrpc::Request>(&*message) : nullptr;
        return request && std::ranges::find(waiting, request->method) != waiting.end();
    });
}

Outcome Dispatcher::answer(std::string_view text, const RequestContext& context) const {
    return answer(jsonrpc::parse(text), context);
}

Outcome Dispatcher::answer(const std::expected<jsonrpc::Payload, jsonrpc::Refusal>& payload,
                           const RequestContext& context) const {
    if (!payload) {
        return refused(payload.error().id, {.http_status = 400, .error = payload.error().error});
    }
    if (payload->batch) return answer_batch(*payload, context);
    const auto& message = payload->messages.front();
    if (message) return answer_one(*message, context);
    return refused(message.error().id, {.http_status = 400, .error = message.error().error});
}

Outcome Dispatcher::answer_batch(const jsonrpc::Payload& payload,
                                 const RequestContext& context) const {
    if (!context.session || context.session->version() != batch_version) {
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
            outcome = answer_one(*message, context);
        }
        if (outcome.http_status >= 400) return outcome;  // the session, which all of them share
        if (!outcome.text.empty()) answers += (answers.empty() ? "" : ",") + outcome.text;
    }
    if (answers.empty()) return {.http_status = 202};
    return {.text = "[" + answers + "]"};
}

Outcome Dispatcher::answer_one(const jsonrpc::Message& message,
                               const RequestContext& context) const {
    if (const auto* request = std::get_if<jsonrpc::Request>(&message)) {
        return answer_request(*request, context);
    }
    return take_note(message, context);
}

/// Notifications, and answers to what the server asked.
Outcome Dispatcher::take_note(const jsonrpc::Message& message,
                              const RequestContext& context) const {
    const auto era = check_version_header(context.headers);
    if (!era) return refused(std::nullopt, era.error());
    if (*era == Era::legacy) {
        if (auto session = check_session(context.session_state); !session) {
            return refused(std::nullopt, session.error());
        }
    }
    if (!context.session) return {.http_status = 202};
    if (const auto* response = std::get_if<jsonrpc::Response>(&message)) {
        (void)context.session->take_answer(*response);
        return {.http_status = 202};
    }
    const auto& notification = std::get<jsonrpc::Notification>(message);
    if (notification.method == "notifications/cancelled") {
        const Json* id = member(notification.params, "requestId");
        if (id != nullptr && id->is_string()) context.session->cancel(id->get<std::string>());
        if (id != nullptr && id->is_number_integer()) {
            context.session->cancel(id->get<std::int64_t>());
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
        if (auto session = check_session(context.session_state); !session) {
            return refused(request.id, session.error());
        }
    }
    const bool listens = *era == Era::modern && request.method == "subscriptions/listen";
    const Method* method = listens ? nullptr : find_method(request.method, *era);
    if (method == nullptr && !listens) {
        return refused(request.id, fault(*era == Era::modern ? 404 : 200, jsonrpc::method_not_found,
                                         fmt::format("there is no method '{}'", request.method))
                                       .error());
    }
    if (!request.params.is_object() && !request.params.is_null()) {
        return refused(request.id, invalid_params("params must be an object").error());
    }
    Inbound in{.request = request, .context = context, .client = client_of(request, *era, context)};
    if (listens) return open_listen(in);
    const auto result = run(*method, in);
    if (context.running && context.running->cancelled().stop_requested()) {
        return {.http_status = 202};  // a cancelled request wants no answer
    }
    if (!result) {
        Fault refusal = result.error();
        const bool forbidden = !refusal.www_authenticate.empty();
        if (*era == Era::legacy && !forbidden) refusal.http_status = 200;
        return refused(request.id, refusal);
    }
    Outcome outcome{.text = jsonrpc::result_text(request.id, *result)};
    if (begins) {
        outcome.agreed =
            Agreed{.version = agreed_version(request.params),
                   .capabilities = object_or_empty(member(request.params, "capabilities"))};
    }
    return outcome;
}

Dispatcher::ResultText Dispatcher::run(const Method& method, const Inbound& in) const {
    try {
        return (this->*method.handler)(in);
    } catch (const std::exception& bug) {  // a result of another shape than its schema says
        return fault(200, jsonrpc::internal_error, fmt::format("a bug: {}", bug.what()));
    }
}

Dispatcher::ResultText Dispatcher::initialize(const Inbound& in) const {
    const Json* requested = member(in.params(), "protocolVersion");
    if (requested == nullptr || !requested->is_string()) {
        return invalid_params("protocolVersion must be a string");
    }
    return to_text({{"protocolVersion", agreed_version(in.params())},
                    {"capabilities", capabilities(Era::legacy)},
                    {"serverInfo", server_info_},
                    {"instructions", offer_.identity.instructions}});
}

Dispatcher::ResultText Dispatcher::ping(const Inbound&) const {
    return "{}";
}

Dispatcher::ResultText Dispatcher::discover(const Inbound&) const {
    return discovery_;
}

Dispatcher::ResultText Dispatcher::set_level(const Inbound& in) const {
    const Json* name = member(in.params(), "level");
    const auto level = name != nullptr && name->is_string() ? log_level_of(name->get<std::string>())
                                                            : std::nullopt;
    if (!level)
        return invalid_params(
            "level must be one of debug, info, notice, warning, error, "
            "critical, alert, emergency");
    if (in.context.session) in.context.session->set_level(*level);
    return "{}";
}

std::expected<Json, Refusal> Dispatcher::run_step(const Inbound& in, const Step& step) const {
    const RequestContext& context = in.context;
    AnyStop stop;
    stop.add(context.ending);
    if (context.running) stop.add(context.running->cancelled());
    // A legacy client may lose its connection and come back for the answer.
    if (in.modern() && context.exchange) stop.add(context.exchange->gone());

    const Json* meta = member(in.params(), "_meta");
    const Json* token = meta == nullptr ? nullptr : member(*meta, "progressToken");
    std::optional<LogLevel> level;
    if (in.modern()) {
        const Json* wanted = meta == nullptr ? nullptr : member(*meta, log_level_key);
        if (wanted && wanted->is_string()) level = log_level_of(wanted->get<std::string>());
    } else if (context.session) {
        level = context.session->level();
    }
    const bool usable = token != nullptr && (token->is_string() || token->is_number_integer());
    const auto messenger =
        std::make_shared<Messenger>(context.exchange, usable ? *token : Json(nullptr), level);
    Asked asked = asked_without_rounds(in);
    asked.call.cancelled = stop.token();
    if (messenger->wants_progress()) {
        asked.call.report = [messenger](const Progress& progress) { messenger->report(progress); };
    }
    asked.log = [messenger](LogLevel at, const Json& data) { messenger->log(at, data); };
    asked.end_stream = [exchange = context.exchange] {
        if (exchange != nullptr) exchange->end_stream();
    };
    Json about_params = in.params().is_object() ? in.params() : Json::object();
    for (const char* other : {"_meta", "inputResponses", "requestState"}) about_params.erase(other);
    auto result = in.modern()
                      ? run_modern(step, std::move(asked), in.params(),
                                   in.request.method + "\n" + to_text(about_params), seals_)
                      : run_legacy(step, std::move(asked), context.session.get(), context.exchange);
    messenger->close();
    return result;
}

Asked Dispatcher::asked_without_rounds(const Inbound& in) const {
    return {.call = {.caller = in.client.principal, .cancelled = in.context.ending},
            .client = in.client,
            .log = [](LogLevel, const Json&) {},
            .end_stream = [] {}};
}

std::string Dispatcher::finished(Json result, Era era) const {
    if (era == Era::modern) {
        if (!result.contains("resultType")) result["resultType"] = "complete";
        result["_meta"][server_info_key] = server_info_;
    }
    return to_text(result);
}

}  // namespace berth::mcp
