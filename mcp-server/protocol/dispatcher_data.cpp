// SPDX-License-Identifier: Apache-2.0
// The methods about resources, prompts and completions.
#include "mcp-server/jsonrpc/error_object.h"
#include "mcp-server/protocol/dispatcher.h"
#include "mcp-server/protocol/results.h"

#include <fmt/format.h>

namespace berth::mcp {
namespace {

/// The most values that the protocol lets a completion have.
constexpr std::size_t completions_max = 100;

/// Tells how long an answer stays good and who may share it.
Json cacheable(Json result, const Client& client, int ttl_ms, const char* scope) {
    if (client.era == Era::modern) {
        result["ttlMs"] = ttl_ms;
        result["cacheScope"] = scope;
    }
    return result;
}

/// Who asks for one page of a list that has only one.
std::expected<void, Fault> check_no_cursor(const Json& params) {
    if (member(params, "cursor") == nullptr) return {};
    return invalid_params("the list has one page, so no cursor is valid");
}

std::expected<std::string, Fault> text_param(const Json& params, const char* name) {
    const Json* value = member(params, name);
    if (value == nullptr || !value->is_string()) {
        return invalid_params(fmt::format("{} must be a string", name));
    }
    return value->get<std::string>();
}

/// A resource that is not there is a wrong parameter; older revisions had a code for it.
Fault resource_fault(const Refusal& refusal, const std::string& uri, Era era) {
    const auto* error = std::get_if<Error>(&refusal);
    if (error == nullptr || error->code != ErrorCode::not_found) return to_fault(refusal);
    Fault fault{.error = jsonrpc::to_rpc_error(*error)};
    fault.error.code = era == Era::modern ? jsonrpc::invalid_params : legacy_resource_not_found;
    if (!fault.error.data.is_object()) fault.error.data = Json::object();
    fault.error.data["uri"] = uri;
    return fault;
}

std::expected<std::map<std::string, std::string>, Fault> prompt_arguments(const Json& params) {
    std::map<std::string, std::string> out;
    const Json* arguments = member(params, "arguments");
    if (arguments == nullptr) return out;
    if (!arguments->is_object()) return invalid_params("arguments must be an object");
    for (const auto& [name, value] : arguments->items()) {
        if (!value.is_string()) {
            return invalid_params(fmt::format("the argument '{}' must be a string", name));
        }
        out.emplace(name, value.get<std::string>());
    }
    return out;
}

}  // namespace

Dispatcher::ResultText Dispatcher::list_resources(const Inbound& in) const {
    std::optional<std::string> cursor;
    if (const Json* given = member(in.params(), "cursor")) {
        if (!given->is_string()) return invalid_params("cursor must be a string");
        cursor = given->get<std::string>();
    }
    auto result = run_step(in, [&](const Asked& asked) -> DataAnswer {
        auto page = offer_.resources->list(cursor, asked);
        if (!page) return std::unexpected(page.error());
        Json out = {{"resources", std::move(page->resources)}};
        if (page->next_cursor) out["nextCursor"] = *page->next_cursor;
        return out;
    });
    if (!result) return std::unexpected(to_fault(result.error()));
    return finished(cacheable(*std::move(result), in.client, 0, "private"), in.client.era);
}

Dispatcher::ResultText Dispatcher::list_templates(const Inbound& in) const {
    if (auto fine = check_no_cursor(in.params()); !fine) return std::unexpected(fine.error());
    Json result = {{"resourceTemplates", offer_.resources->templates()}};
    return finished(cacheable(std::move(result), in.client, unchanging_ttl_ms, "public"),
                    in.client.era);
}

Dispatcher::ResultText Dispatcher::read_resource(const Inbound& in) const {
    const auto uri = text_param(in.params(), "uri");
    if (!uri) return std::unexpected(uri.error());
    auto result =
        run_step(in, [&](const Asked& asked) { return offer_.resources->read(*uri, asked); });
    if (!result) return std::unexpected(resource_fault(result.error(), *uri, in.client.era));
    return finished(cacheable(*std::move(result), in.client, 0, "private"), in.client.era);
}

Dispatcher::ResultText Dispatcher::subscribe(const Inbound& in) const {
    const auto uri = text_param(in.params(), "uri");
    if (!uri) return std::unexpected(uri.error());
    if (!offer_.resources->can_watch(*uri)) {
        return fault(200, legacy_resource_not_found, "there is no such resource to watch",
                     {{"uri", *uri}});
    }
    if (in.context.session && !in.context.session->watch(*uri)) {
        return invalid_params(fmt::format("at most {} resources can be watched", watched_max));
    }
    return "{}";
}

Dispatcher::ResultText Dispatcher::unsubscribe(const Inbound& in) const {
    const auto uri = text_param(in.params(), "uri");
    if (!uri) return std::unexpected(uri.error());
    if (in.context.session) in.context.session->unwatch(*uri);
    return "{}";
}

Dispatcher::ResultText Dispatcher::list_prompts(const Inbound& in) const {
    if (auto fine = check_no_cursor(in.params()); !fine) return std::unexpected(fine.error());
    Json result = {{"prompts", offer_.prompts->entries()}};
    return finished(cacheable(std::move(result), in.client, unchanging_ttl_ms, "public"),
                    in.client.era);
}

Dispatcher::ResultText Dispatcher::get_prompt(const Inbound& in) const {
    const auto name = text_param(in.params(), "name");
    if (!name) return std::unexpected(name.error());
    const auto arguments = prompt_arguments(in.params());
    if (!arguments) return std::unexpected(arguments.error());
    auto result = run_step(
        in, [&](const Asked& asked) { return offer_.prompts->get(*name, *arguments, asked); });
    if (!result) return std::unexpected(to_fault(result.error()));
    return finished(*std::move(result), in.client.era);
}

Dispatcher::ResultText Dispatcher::complete_argument(const Inbound& in) const {
    const Json* reference = member(in.params(), "ref");
    const Json* argument = member(in.params(), "argument");
    if (reference == nullptr || !reference->is_object() || argument == nullptr) {
        return invalid_params("ref and argument must be objects");
    }
    const auto name = text_param(*argument, "name");
    const auto begun = text_param(*argument, "value");
    if (!name || !begun) return invalid_params("argument must have a name and a value");
    const Json* context = member(in.params(), "context");
    const Json* given = context == nullptr ? nullptr : member(*context, "arguments");
    auto result = run_step(in, [&](const Asked& asked) -> DataAnswer {
        auto found = offer_.completer->complete(*reference, *name, *begun,
                                                given ? *given : Json::object(), asked);
        if (!found) return std::unexpected(found.error());
        const std::size_t total = std::max(found->total, found->values.size());
        if (found->values.size() > completions_max) found->values.resize(completions_max);
        return Json{{"completion",
                     {{"values", found->values},
                      {"total", total},
                      {"hasMore", total > found->values.size()}}}};
    });
    if (!result) return std::unexpected(to_fault(result.error()));
    return finished(*std::move(result), in.client.era);
}

}  // namespace berth::mcp
