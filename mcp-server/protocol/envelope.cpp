// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/envelope.h"

#include "mcp-server/protocol/versions.h"
#include "tools-schema/contract/names.h"

#include <fmt/format.h>

namespace berth::mcp {
namespace {

constexpr std::string_view base64_begin = "=?base64?";
constexpr std::string_view base64_end = "?=";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return "";
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// The parameter that Mcp-Name repeats, for the methods that have one; nullptr when it is no
/// string.
const Json* named_by(const jsonrpc::Request& request) {
    const char* key = nullptr;
    if (request.method == "tools/call" || request.method == "prompts/get") key = "name";
    if (request.method == "resources/read") key = "uri";
    for (const char* method : {"tasks/get", "tasks/update", "tasks/cancel"}) {
        if (request.method == method) key = "taskId";
    }
    const Json* name = key == nullptr ? nullptr : member(request.params, key);
    return name != nullptr && name->is_string() ? name : nullptr;
}

std::expected<void, Fault> check_required_keys(const Json* meta) {
    Json missing = Json::array();
    const Json* version = meta == nullptr ? nullptr : member(*meta, version_key);
    const Json* capabilities = meta == nullptr ? nullptr : member(*meta, capabilities_key);
    if (version == nullptr || !version->is_string()) missing.push_back(version_key);
    if (capabilities == nullptr || !capabilities->is_object()) missing.push_back(capabilities_key);
    if (missing.empty()) return {};
    return fault(400, jsonrpc::invalid_params, "_meta lacks what every request must carry",
                 {{"envelope", {{"missing", missing}}}});
}

std::expected<void, Fault> check_repeated(const jsonrpc::Request& request,
                                          const HttpHeaders* headers) {
    const auto method = single_header(headers, "mcp-method");
    if (!method) return std::unexpected(method.error());
    if (*method != request.method) {
        return fault(400, header_mismatch,
                     fmt::format("the header Mcp-Method must be '{}'", request.method));
    }
    const auto header = single_header(headers, "mcp-name");
    if (!header) return std::unexpected(header.error());
    const Json* name = named_by(request);
    if (name == nullptr && !*header) return {};
    const auto value = decoded_header("Mcp-Name", header->value_or(""));
    if (!value) return std::unexpected(value.error());
    if (name == nullptr || !*header || *value != name->get_ref<const std::string&>()) {
        return fault(400, header_mismatch,
                     "the header Mcp-Name must repeat what the request names");
    }
    return {};
}

/// Only when there are headers, which repeat what the body says.
std::expected<void, Fault> check_header_version(const std::string& requested,
                                                const std::optional<std::string>& header) {
    if (header == requested) return {};
    return fault(400, header_mismatch,
                 fmt::format("the header MCP-Protocol-Version must be '{}'", requested),
                 {{"mismatch", {{"header", header.value_or("")}, {"body", requested}}}});
}

}  // namespace

std::expected<std::optional<std::string>, Fault> single_header(const HttpHeaders* headers,
                                                               std::string_view name) {
    if (headers == nullptr || !headers->contains(name)) return std::nullopt;
    if (headers->count(name) > 1) {
        return fault(400, header_mismatch, fmt::format("the header {} was sent twice", name));
    }
    return std::string(trimmed(*find_header(*headers, name)));
}

std::expected<std::string, Fault> decoded_header(std::string_view name, const std::string& value) {
    const bool encoded = value.size() >= base64_begin.size() + base64_end.size() &&
                         value.starts_with(base64_begin) && value.ends_with(base64_end);
    if (!encoded) return value;
    auto text = decode_base64(std::string_view(value).substr(
        base64_begin.size(), value.size() - base64_begin.size() - base64_end.size()));
    if (!text) {
        return fault(400, header_mismatch, fmt::format("the header {} has malformed base64", name));
    }
    return *std::move(text);
}

const Json* member(const Json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found == object.end() ? nullptr : &*found;
}

std::expected<Era, Fault> check_version_header(const HttpHeaders* headers) {
    const auto header = single_header(headers, "mcp-protocol-version");
    if (!header) return std::unexpected(header.error());
    if (*header == modern_version) return Era::modern;
    if (!*header || is_legacy_version(**header)) return Era::legacy;
    return fault(400, implementation_error,
                 fmt::format("the protocol version '{}' is not supported", **header),
                 {{"supported", supported_versions}, {"requested", **header}});
}

std::expected<Era, Fault> check_envelope(const jsonrpc::Request& request,
                                         const HttpHeaders* headers) {
    const Json* meta = member(request.params, "_meta");
    if (meta == nullptr || member(*meta, version_key) == nullptr) {
        const auto era = check_version_header(headers);
        if (!era || *era == Era::legacy) return era;
        if (request.method == "initialize") {
            const Json* body = member(request.params, "protocolVersion");
            return fault(
                400, header_mismatch, "initialize belongs to an older revision",
                {{"mismatch", {{"header", modern_version}, {"body", body ? *body : Json("")}}}});
        }
    }
    if (auto keys = check_required_keys(meta); !keys) return std::unexpected(keys.error());
    const auto requested = meta->at(version_key).get<std::string>();
    if (headers != nullptr) {
        const auto header = single_header(headers, "mcp-protocol-version");
        if (!header) return std::unexpected(header.error());
        if (auto same = check_header_version(requested, *header); !same) {
            return std::unexpected(same.error());
        }
    }
    if (requested != modern_version) {
        return fault(400, unsupported_version, "Unsupported protocol version",
                     {{"supported", supported_versions}, {"requested", requested}});
    }
    if (headers != nullptr) {
        if (auto repeated = check_repeated(request, headers); !repeated) {
            return std::unexpected(repeated.error());
        }
    }
    return Era::modern;
}

}  // namespace berth::mcp
