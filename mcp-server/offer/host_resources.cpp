// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/host_resources.h"

#include "mcp-server/offer/allowed_calls.h"
#include "tools-schema/contract/error_table.h"
#include "tools-schema/contract/names.h"

#include <fmt/format.h>

namespace berth::mcp {
namespace {

constexpr const char* json_type = "application/json";
constexpr const char* text_type = "text/plain";
constexpr std::string_view cursor_prefix = "after:";
/// What container_logs gives at most.
constexpr int log_lines_max = 1000;

/// A resource that belongs to a container.
struct OfContainer {
    std::string_view scheme;
    std::string name;
};

/// Nothing for a URI that can be none of a container's.
std::optional<OfContainer> of_container(std::string_view uri) {
    for (const auto scheme : {container_scheme, log_scheme}) {
        if (!uri.starts_with(scheme)) continue;
        const auto name = ContainerName::parse(uri.substr(scheme.size()));
        if (name) return OfContainer{.scheme = scheme, .name = name->to_string()};
    }
    return std::nullopt;
}

/// Nothing for a URI that can be none of a warning's.
std::optional<std::string> warning_id(std::string_view uri) {
    if (!uri.starts_with(warning_scheme)) return std::nullopt;
    const auto id = WarningId::parse(uri.substr(warning_scheme.size()));
    return id ? std::optional(id->to_string()) : std::nullopt;
}

Json entry(std::string uri, std::string name, std::string title, const char* description,
           const char* type) {
    return {{"uri", std::move(uri)},
            {"name", std::move(name)},
            {"title", std::move(title)},
            {"description", description},
            {"mimeType", type}};
}

constexpr const char* host_says =
    "Versions, images, network, and which kernel features are there or missing.";
constexpr const char* gpus_say =
    "The GPUs of this host by PCI address: what they are, who has them, how they are.";
constexpr const char* warnings_say =
    "What is wrong, missing or degraded on this host and what to do about it; [] when all is well.";
constexpr const char* warning_says =
    "One warning in full: what it is about, since when, how often.";
constexpr const char* container_says =
    "One container in full: state, address, limits, SSH entry, forwarded ports.";
constexpr const char* log_says =
    "The newest lines of a running container's journal: boot, services, logins.";

void add_container(Json& resources, const std::string& name) {
    resources.push_back(entry(std::string(container_scheme) + name, name, "Container " + name,
                              container_says, json_type));
    resources.push_back(entry(std::string(log_scheme) + name, name + " log", "Log of " + name,
                              log_says, text_type));
}

std::string cursor_after(const std::string& name) {
    return encode_base64(std::string(cursor_prefix) + name);
}

/// The name a cursor goes on after; nothing for what was never a cursor.
std::optional<std::string> read_cursor(const std::string& cursor) {
    const auto text = decode_base64(cursor);
    if (!text || !text->starts_with(cursor_prefix)) return std::nullopt;
    const auto name = ContainerName::parse(std::string_view(*text).substr(cursor_prefix.size()));
    return name ? std::optional(name->to_string()) : std::nullopt;
}

Json contents(const std::string& uri, const char* type, std::string text) {
    return {
        {"contents", Json::array({{{"uri", uri}, {"mimeType", type}, {"text", std::move(text)}}})}};
}

std::string log_text(const Json& log) {
    std::string text;
    if (log.value("truncated", false)) {
        text +=
            "[older lines, or the ends of long ones, are left out; container_logs reads some "
            "units or times alone]\n";
    }
    for (const Json& line : log.value("lines", Json::array())) {
        if (line.is_string()) text += line.get<std::string>() + '\n';
    }
    return text;
}

}  // namespace

Json warnings_of(const Result<Json>& warning_list) {
    Json warnings = Json::array();
    if (!warning_list) {
        const Error& error = warning_list.error();
        warnings.push_back({{"type", "host_unreachable"},
                            {"severity", "error"},
                            {"entity", host_uri},
                            {"message", error.message},
                            {"next", error.hint}});
        return warnings;
    }
    for (const Json& warning : warning_list->value("warnings", Json::array())) {
        if (text_member(warning, "status") != "resolved") warnings.push_back(warning);
    }
    return warnings;
}

std::expected<ResourcePage, Refusal> HostResources::list(const std::optional<std::string>& cursor,
                                                         const Asked& asked) {
    ResourcePage page;
    std::string after;
    if (cursor) {
        const auto name = read_cursor(*cursor);
        if (!name) return invalid_params("unknown cursor", {{"cursor", *cursor}});
        after = *name;
    } else {
        if (asked.client.may_call("system_info"))
            page.resources.push_back(entry(host_uri, "system", "This host", host_says, json_type));
        if (asked.client.may_call("gpu_list"))
            page.resources.push_back(entry(gpus_uri, "gpus", "GPUs", gpus_say, json_type));
        if (may_see_warnings(asked))
            page.resources.push_back(
                entry(warning_uri, "warnings", "Warnings", warnings_say, json_type));
    }
    if (!asked.client.may_call("container_list")) return page;
    const auto containers = container_names(asked, invoker_, after, containers_per_page);
    if (!containers) {
        // A list that has begun must not look complete; one that has not shows where to look.
        if (cursor || page.resources.empty()) return std::unexpected(containers.error());
        asked.log(LogLevel::warning,
                  {{"message", containers.error().message}, {"hint", containers.error().hint}});
        return page;
    }
    for (const auto& name : containers->names) add_container(page.resources, name);
    if (containers->more) page.next_cursor = cursor_after(containers->names.back());
    return page;
}

const Json& HostResources::templates() const {
    static const Json all = Json::array({
        {{"uriTemplate", "container://{name}"},
         {"name", "container"},
         {"title", "A container"},
         {"description", container_says},
         {"mimeType", json_type}},
        {{"uriTemplate", "log://{name}"},
         {"name", "log"},
         {"title", "A container's log"},
         {"description", log_says},
         {"mimeType", text_type}},
        {{"uriTemplate", "warning://{id}"},
         {"name", "warning"},
         {"title", "A warning"},
         {"description", warning_says},
         {"mimeType", json_type}},
    });
    return all;
}

Result<Json> HostResources::contents_of(const std::string& uri, const Asked& asked) {
    if (uri == host_uri) {
        const Json host =
            BERTH_TRY(call_for(asked, invoker_, "system_info", {{"response_format", "detailed"}}));
        return contents(uri, json_type, to_text(host));
    }
    if (uri == gpus_uri) {
        const Json gpus =
            BERTH_TRY(call_for(asked, invoker_, "gpu_list", {{"response_format", "detailed"}}));
        return contents(uri, json_type, to_text(gpus));
    }
    if (uri == warning_uri) {
        const auto list = warnings_for(asked, invoker_, false);
        if (!list && list.error().code == ErrorCode::denied) return fail(list.error());
        return contents(uri, json_type, to_text(warnings_of(list)));
    }
    if (const auto id = warning_id(uri)) {
        return contents(uri, json_type, to_text(BERTH_TRY(warning_for(asked, invoker_, *id))));
    }
    const auto one = of_container(uri);
    if (!one) {
        return fail(make_error(ErrorCode::not_found, fmt::format("no resource '{}'", uri))
                        .next("list the resources, or call container_list"));
    }
    if (one->scheme == container_scheme) {
        const Json container =
            BERTH_TRY(call_for(asked, invoker_, "container_get",
                               {{"name", one->name}, {"response_format", "detailed"}}));
        return contents(uri, json_type, to_text(container));
    }
    const Json log = BERTH_TRY(call_for(asked, invoker_, "container_logs",
                                        {{"container", one->name}, {"lines", log_lines_max}}));
    return contents(uri, text_type, log_text(log));
}

DataAnswer HostResources::read(const std::string& uri, const Asked& asked) {
    auto found = contents_of(uri, asked);
    if (!found) return std::unexpected(std::move(found).error());
    return *std::move(found);
}

bool HostResources::can_watch(const std::string& uri) const {
    return uri == host_uri || uri == gpus_uri || uri == warning_uri || warning_id(uri) ||
           of_container(uri).has_value();
}

}  // namespace berth::mcp
