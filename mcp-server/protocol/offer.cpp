// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/offer.h"

namespace berth::mcp {

bool Client::can(std::string_view capability) const {
    return capabilities.is_object() && capabilities.contains(capability);
}

bool Client::has_extension(std::string_view name) const {
    if (!can("extensions")) return false;
    const Json& extensions = capabilities["extensions"];
    return extensions.is_object() && extensions.contains(name);
}

const Json* Asked::response(const char* key) const {
    if (!responses.is_object()) return nullptr;
    const auto found = responses.find(key);
    return found != responses.end() && found->is_object() ? &*found : nullptr;
}

std::string Asked::action(const char* key) const {
    const Json* answer = response(key);
    if (answer == nullptr) return "";
    const auto found = answer->find("action");
    return found != answer->end() && found->is_string() ? found->get<std::string>() : "";
}

const Json* Asked::accepted(const char* key) const {
    if (action(key) != "accept") return nullptr;
    const Json* answer = response(key);
    const auto content = answer->find("content");
    return content != answer->end() && content->is_object() ? &*content : nullptr;
}

}  // namespace berth::mcp
