// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/mirrored_params.h"

#include "mcp-server/protocol/envelope.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace berth::mcp {
namespace {

constexpr const char* mark = "x-mcp-header";

std::string header_of(std::string name) {
    std::ranges::transform(name, name.begin(), [](unsigned char c) {
        return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    });
    return "mcp-param-" + name;
}

void collect(const Json& schema, const std::vector<std::string>& path,
             std::vector<MirroredParam>& out) {
    const Json* properties = member(schema, "properties");
    if (properties == nullptr || !properties->is_object()) return;
    for (const auto& [name, property] : properties->items()) {
        auto below = path;
        below.push_back(name);
        const Json* header = member(property, mark);
        if (header != nullptr && header->is_string()) {
            out.push_back({.path = below, .header = header_of(header->get<std::string>())});
        }
        collect(property, below, out);
    }
}

/// nullptr for what is absent, and for null, which is the same here.
const Json* value_at(const Json& arguments, const std::vector<std::string>& path) {
    const Json* value = &arguments;
    for (const auto& name : path) {
        value = member(*value, name.c_str());
        if (value == nullptr) return nullptr;
    }
    return value->is_null() ? nullptr : value;
}

std::optional<double> number_of(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

bool says_the_same(const Json& value, const std::string& header) {
    if (value.is_string()) return value.get_ref<const std::string&>() == header;
    if (value.is_boolean()) return header == (value.get<bool>() ? "true" : "false");
    return value.is_number() && number_of(header) == value.get<double>();
}

}  // namespace

std::vector<MirroredParam> mirrored_params(const Json& input_schema) {
    std::vector<MirroredParam> out;
    collect(input_schema, {}, out);
    return out;
}

std::expected<void, Fault> check_mirrored(const std::vector<MirroredParam>& params,
                                          const Json& arguments, const HttpHeaders& headers) {
    for (const MirroredParam& param : params) {
        const auto header = single_header(&headers, param.header);
        if (!header) return std::unexpected(header.error());
        const Json* value = value_at(arguments, param.path);
        if (value == nullptr && !*header) continue;
        if (value == nullptr || !*header) {
            return fault(400, header_mismatch,
                         fmt::format("the header {} must be there exactly when its argument is",
                                     param.header));
        }
        const auto text = decoded_header(param.header, **header);
        if (!text) return std::unexpected(text.error());
        if (!says_the_same(*value, *text)) {
            return fault(400, header_mismatch,
                         fmt::format("the header {} differs from its argument", param.header));
        }
    }
    return {};
}

}  // namespace berth::mcp
