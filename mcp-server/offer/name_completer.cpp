// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/name_completer.h"

#include "mcp-server/offer/allowed_calls.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::mcp {
namespace {

/// container_list gives no more at once, less the one that tells whether there are more.
constexpr std::size_t names_per_call = 999;

std::vector<std::string> all_containers(const Asked& asked, Invoker& invoker) {
    std::vector<std::string> names;
    ContainerPage page{.more = true};
    while (page.more && names.size() < completed_names_max) {
        auto next =
            container_names(asked, invoker, names.empty() ? "" : names.back(), names_per_call);
        if (!next || next->names.empty()) break;
        page = *std::move(next);
        names.insert(names.end(), page.names.begin(), page.names.end());
    }
    return names;
}

/// The member `key` of each object in the list `list` of what a tool answers.
std::vector<std::string> members(const Result<Json>& answer, const char* list, const char* key) {
    std::vector<std::string> out;
    if (!answer) return out;
    for (const Json& item : answer->value(list, Json::array())) {
        out.push_back(text_member(item, key));
    }
    return out;
}

std::vector<std::string> candidates(const std::string& argument, const Asked& asked,
                                    Invoker& invoker) {
    if (argument == "container" || argument == "name") return all_containers(asked, invoker);
    if (argument == "image")
        return members(call_for(asked, invoker, "system_info", Json::object()), "images", "name");
    if (argument == "gpu")
        return members(call_for(asked, invoker, "gpu_list", Json::object()), "gpus", "address");
    if (argument == "pool")
        return members(call_for(asked, invoker, "pool_list", Json::object()), "pools", "name");
    if (argument == "id") return members(warnings_for(asked, invoker, true), "warnings", "id");
    return {};
}

bool any_named(const Json& list, const char* key, const std::string& name) {
    return std::ranges::any_of(list,
                               [&](const Json& item) { return text_member(item, key) == name; });
}

}  // namespace

std::vector<std::string> matching(std::vector<std::string> names, const std::string& begun) {
    std::erase_if(names, [&](const std::string& name) { return !name.contains(begun); });
    std::ranges::sort(names);
    std::ranges::stable_partition(names,
                                  [&](const std::string& name) { return name.starts_with(begun); });
    return names;
}

std::expected<void, Fault> NameCompleter::check(const Json& reference,
                                                const std::string& argument) const {
    const std::string type = text_member(reference, "type");
    if (type == "ref/prompt") {
        const std::string name = text_member(reference, "name");
        for (const Json& prompt : prompts_.entries()) {
            if (text_member(prompt, "name") != name) continue;
            if (any_named(prompt.value("arguments", Json::array()), "name", argument)) return {};
            return invalid_params(fmt::format("prompt '{}' has no argument '{}'", name, argument));
        }
        return invalid_params(fmt::format("unknown prompt '{}'", name));
    }
    if (type == "ref/resource") {
        const std::string uri = text_member(reference, "uri");
        if (!any_named(resources_.templates(), "uriTemplate", uri)) {
            return invalid_params(fmt::format("unknown resource template '{}'", uri));
        }
        if (uri.contains("{" + argument + "}")) return {};
        return invalid_params(fmt::format("'{}' has no variable '{}'", uri, argument));
    }
    return invalid_params("ref.type must be ref/prompt or ref/resource");
}

std::expected<Completion, Fault> NameCompleter::complete(const Json& reference,
                                                         const std::string& argument,
                                                         const std::string& begun,
                                                         const Json& /*context*/,
                                                         const Asked& asked) {
    if (const auto known = check(reference, argument); !known) {
        return std::unexpected(known.error());
    }
    Completion completion{.values = matching(candidates(argument, asked, invoker_), begun)};
    completion.total = completion.values.size();
    return completion;
}

}  // namespace berth::mcp
