// SPDX-License-Identifier: Apache-2.0
// subscriptions/listen: what a modern client wants to hear of.
#include "mcp-server/protocol/dispatcher.h"
#include "mcp-server/protocol/results.h"

#include <fmt/format.h>

namespace berth::mcp {
namespace {

std::expected<bool, Fault> flag(const Json& filter, const char* name) {
    const Json* value = member(filter, name);
    if (value == nullptr) return false;
    if (!value->is_boolean()) {
        return invalid_params(fmt::format("notifications.{} must be a boolean", name));
    }
    return value->get<bool>();
}

std::expected<std::set<std::string, std::less<>>, Fault> texts(const Json& filter,
                                                               const char* name) {
    std::set<std::string, std::less<>> out;
    const Json* values = member(filter, name);
    if (values == nullptr) return out;
    const auto wrong = invalid_params(
        fmt::format("notifications.{} must be an array of at most {} strings", name, watched_max));
    if (!values->is_array() || values->size() > watched_max) return wrong;
    for (const Json& value : *values) {
        if (!value.is_string()) return wrong;
        out.insert(value.get<std::string>());
    }
    return out;
}

Json to_json(const Interest& interest) {
    Json out = Json::object();
    if (interest.tools) out["toolsListChanged"] = true;
    if (interest.prompts) out["promptsListChanged"] = true;
    if (interest.resources) out["resourcesListChanged"] = true;
    if (!interest.uris.empty()) out["resourceSubscriptions"] = interest.uris;
    if (!interest.tasks.empty()) out["taskIds"] = interest.tasks;
    return out;
}

}  // namespace

std::expected<Listen, Fault> Dispatcher::read_listen(const Inbound& in) const {
    const Json* filter = member(in.params(), "notifications");
    if (filter == nullptr || !filter->is_object()) {
        return invalid_params("notifications must be an object");
    }
    const auto tools = flag(*filter, "toolsListChanged");
    if (!tools) return std::unexpected(tools.error());
    const auto prompts = flag(*filter, "promptsListChanged");
    if (!prompts) return std::unexpected(prompts.error());
    const auto resources = flag(*filter, "resourcesListChanged");
    if (!resources) return std::unexpected(resources.error());
    auto uris = texts(*filter, "resourceSubscriptions");
    if (!uris) return std::unexpected(uris.error());
    auto tasks = texts(*filter, "taskIds");
    if (!tasks) return std::unexpected(tasks.error());
    std::erase_if(*uris, [this](const std::string& uri) {
        return offer_.resources == nullptr || !offer_.resources->can_watch(uri);
    });
    std::erase_if(*tasks, [&](const std::string& id) {
        return offer_.tasks == nullptr || !in.client.has_extension(tasks_extension) ||
               !offer_.tasks->get(id, asked_without_rounds(in));
    });
    return Listen{.id = in.request.id,
                  .interest = {.tools = *tools && offer_.tools_change,
                               .prompts = *prompts && offer_.prompts_change,
                               .resources = *resources && offer_.resources_change,
                               .uris = *std::move(uris),
                               .tasks = *std::move(tasks)}};
}

Outcome Dispatcher::open_listen(const Inbound& in) const {
    auto listen = read_listen(in);
    if (!listen) {
        return {.http_status = listen.error().http_status,
                .text = jsonrpc::error_text(in.request.id, listen.error().error)};
    }
    const Json id = std::visit([](const auto& value) { return Json(value); }, in.request.id);
    const Json meta = {{subscription_key, id}};
    listen->acknowledge =
        to_text({{"jsonrpc", "2.0"},
                 {"method", "notifications/subscriptions/acknowledged"},
                 {"params", {{"notifications", to_json(listen->interest)}, {"_meta", meta}}}});
    listen->end = jsonrpc::result_text(in.request.id, finished({{"_meta", meta}}, Era::modern));
    return {.listen = *std::move(listen)};
}

}  // namespace berth::mcp
