// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/admission.h"

#include "base/log.h"
#include "mcp-server/auth/crypto.h"
#include "mcp-server/jsonrpc/rpc_endpoint.h"
#include "mcp-server/policy/filter_wish.h"
#include "tools-schema/registry/tool_spec.h"

#include <fmt/format.h>

namespace berth::app {
namespace {

HttpResponse refuse(int status, std::string_view why) {
    return json_response(status, mcp::StreamableHttp::error_body(status, why));
}

HttpResponse refuse(const auth::Challenge& challenge, const HttpRequest& request) {
    log::warning("refused",
                 {{"remote", request.remote},
                  {"status", std::to_string(challenge.status)},
                  {"why", challenge.detail.empty() ? challenge.message : challenge.detail}});
    auto response = refuse(challenge.status, challenge.message);
    if (!challenge.www_authenticate.empty()) {
        response.headers.emplace("www-authenticate", challenge.www_authenticate);
    }
    return response;
}

HttpResponse refuse(std::chrono::milliseconds wait) {
    auto response = refuse(429, fmt::format("too many requests; wait {} ms", wait.count()));
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
    response.headers.emplace("retry-after", std::to_string(seconds));
    return response;
}

/// "127.0.0.1:40312" without the port.
std::string address_of(const std::string& remote) {
    return remote.substr(0, remote.rfind(':'));
}

/// One character for each tool of the catalogue: the same for the same tools only.
std::string key_of(const policy::ToolFilter& filter) {
    std::string key;
    for (const ToolSpec& tool : tool_catalogue()) key += filter.allows(tool.name) ? '1' : '0';
    return key;
}

/// The name goes to berthd in a header; one that does not fit is named by its digest.
std::string short_name(const std::string& principal) {
    return fits_rpc_header(principal) ? principal : "sha256:" + auth::sha256_hex(principal);
}

}  // namespace

std::shared_ptr<const mcp::ToolScope> scope_of(const policy::ToolFilter& filter) {
    if (filter == policy::ToolFilter::everything()) return nullptr;
    return std::make_shared<mcp::ToolScope>(
        mcp::ToolScope{.key = key_of(filter),
                       .allows = [filter](std::string_view tool) { return filter.allows(tool); }});
}

std::expected<mcp::Admitted, HttpResponse> Admission::admit(const HttpRequest& request) {
    const auto caller = authenticator_.check(request);
    if (!caller) {
        // Who only guesses is slowed down too, by its address.
        const auto wait = rate_.refused("stranger:" + address_of(request.remote));
        return std::unexpected(wait ? refuse(*wait) : refuse(caller.error(), request));
    }
    if (const auto wait = rate_.refused(caller->principal)) return std::unexpected(refuse(*wait));
    const auto wish = policy::wish_of(request.headers);
    if (!wish) return std::unexpected(refuse(400, wish.error().message));
    const auto wished = wish->empty() ? offered_ : offered_.narrowed(*wish);
    if (!wished) {
        return std::unexpected(
            refuse(400, wished.error().message +
                            (wished.error().hint.empty() ? "" : "; " + wished.error().hint)));
    }
    return mcp::Admitted{.principal = short_name(caller->principal),
                         .tools = narrowed(*wished, *caller)};
}

std::shared_ptr<const mcp::ToolScope> Admission::narrowed(const policy::ToolFilter& wished,
                                                          const auth::Caller& caller) {
    if (caller.all_scopes && wished == policy::ToolFilter::everything()) return nullptr;
    const auto allowed = wished.narrowed_to_scopes(caller);
    // Two callers with the same tools can lack different scopes for the others.
    const std::string key = key_of(allowed) + "/" + key_of(wished);
    const std::scoped_lock lock(mutex_);
    if (const auto found = scopes_.find(key); found != scopes_.end()) return found->second;
    if (scopes_.size() >= scopes_kept_max) scopes_.clear();
    const auto challenge = [this, wished, caller](std::string_view tool) -> std::string {
        const ToolSpec* spec = find_tool(tool);
        if (spec == nullptr || !wished.allows(tool)) return "";
        return authenticator_.insufficient_scope(caller, spec->scope).www_authenticate;
    };
    return scopes_[key] = std::make_shared<mcp::ToolScope>(mcp::ToolScope{
               .key = key,
               .allows = [allowed](std::string_view tool) { return allowed.allows(tool); },
               .challenge = challenge});
}

}  // namespace berth::app
