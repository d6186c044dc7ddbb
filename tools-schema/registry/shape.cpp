// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/registry/shape.h"

#include <algorithm>

namespace berth {
namespace {

/// Only the members named in `kept` of the object, or of the list's objects, that `pointer` leads
/// to.
void keep_only(Json& value, std::string_view pointer, const Json& kept) {
    if (value.is_array()) {
        for (auto& item : value) keep_only(item, pointer, kept);
    }
    if (!value.is_object()) return;
    if (!pointer.empty()) {
        pointer.remove_prefix(1);  // its '/'
        const auto end = std::min(pointer.find('/'), pointer.size());
        const auto found = value.find(std::string(pointer.substr(0, end)));
        if (found != value.end()) keep_only(*found, pointer.substr(end), kept);
        return;
    }
    Json out = Json::object();
    for (auto& [key, member] : value.items()) {
        if (std::ranges::find(kept, Json(key)) != kept.end()) out[key] = std::move(member);
    }
    value = std::move(out);
}

}  // namespace

Json shaped(const ToolSpec& tool, Json output, ResponseFormat format) {
    if (format == ResponseFormat::detailed || tool.concise.empty()) return output;
    // The text is ours, checked when it was generated.
    const Json concise = Json::parse(tool.concise);
    for (const auto& [pointer, kept] : concise.items()) keep_only(output, pointer, kept);
    return output;
}

}  // namespace berth
