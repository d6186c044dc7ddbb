// SPDX-License-Identifier: Apache-2.0
#include "host/tools/recovery.h"

#include "host/tools/shapes.h"
#include "tools/tools.h"

#include <algorithm>

namespace berth::tools {
namespace {

using container::ContainerService;

std::string word(const Json& arguments, const char* key) {
    const auto found = arguments.find(key);
    return found != arguments.end() && found->is_string() ? found->get<std::string>() : "";
}

/// The container that the arguments name under `key`, if it is there.
std::optional<container::View> named(ContainerService& containers, const Json& arguments,
                                     const char* key) {
    const auto name = ContainerName::parse(word(arguments, key));
    if (!name) return std::nullopt;
    auto view = containers.get(*name);
    return view ? std::optional(*std::move(view)) : std::nullopt;
}

/// Everything that a call which removes something will not find any more when it has done so.
Json before(ContainerService& containers, std::string_view tool, const Json& arguments) {
    if (tool == ContainerDelete::name) {
        const auto view = named(containers, arguments, "name");
        return view ? Json{{"id", view->row.id}} : Json();
    }
    if (tool == PortRemove::name) {
        const auto in = PortRemove::decode(arguments);
        if (!in) return nullptr;
        const auto found =
            containers.find_port(std::string(to_string(in->protocol)), in->host_port);
        return found ? encode(to_forward(found->first, found->second.row.name)) : Json();
    }
    return nullptr;
}

/// One of that name made since is the one that was asked for; the store keeps no half-made ones.
std::optional<Json> created(ContainerService& containers, Invoker& tools, const Json& arguments,
                            const std::string& since) {
    const auto view = named(containers, arguments, "name");
    if (!view || view->row.created_at < since || view->row.phase != store::Phase::ready)
        return std::nullopt;
    Json wanted = {{"name", view->row.name}};
    if (const auto format = word(arguments, "response_format"); !format.empty())
        wanted["response_format"] = format;
    auto answer = tools.invoke(ContainerGet::name, wanted, {});
    return answer ? std::optional(*std::move(answer)) : std::nullopt;
}

std::optional<Json> deleted(ContainerService& containers, const Json& arguments,
                            const Json& before) {
    if (before.is_null()) return std::nullopt;
    const auto view = named(containers, arguments, "name");
    if (view && view->row.id == word(before, "id")) return std::nullopt;
    return Json{{"name", word(arguments, "name")}, {"deleted", true}};
}

std::optional<Json> port_added(ContainerService& containers, const Json& arguments,
                               const std::string& since) {
    const auto in = PortAdd::decode(arguments);
    const auto view = named(containers, arguments, "container");
    if (!in || !view) return std::nullopt;
    const auto found = std::ranges::find_if(view->ports, [&](const store::Port& port) {
        return port.created_at >= since && port.protocol == to_string(in->protocol) &&
               port.container_port == in->container_port &&
               (!in->host_port || port.host_port == *in->host_port);
    });
    if (found == view->ports.end()) return std::nullopt;
    return encode(to_forward(*found, view->row.name));
}

std::optional<Json> port_removed(ContainerService& containers, const Json& before) {
    if (before.is_null()) return std::nullopt;
    const auto host_port = before.at("host_port").get<std::int64_t>();
    const auto found = containers.find_port(word(before, "protocol"), host_port);
    const bool same = found && found->second.row.name == word(before, "container");
    return same ? std::nullopt : std::optional(before);
}

}  // namespace

operation::Operations::Recovery recovery(ContainerService& containers, Invoker& tools) {
    return {.before =
                [&containers](const ToolSpec& tool, const Json& arguments) {
                    return before(containers, tool.name, arguments);
                },
            .settle = [&containers, &tools](const ToolSpec& tool, const Json& arguments,
                                            const Json& before,
                                            const std::string& since) -> std::optional<Json> {
                if (tool.name == ContainerCreate::name)
                    return created(containers, tools, arguments, since);
                if (tool.name == ContainerDelete::name)
                    return deleted(containers, arguments, before);
                if (tool.name == PortAdd::name) return port_added(containers, arguments, since);
                if (tool.name == PortRemove::name) return port_removed(containers, before);
                return std::nullopt;  // may be done again, or says itself that it cannot
            }};
}

}  // namespace berth::tools
