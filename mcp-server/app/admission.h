// SPDX-License-Identifier: Apache-2.0
// Whom berth-mcp lets in over HTTP, how often, and to which tools.
#pragma once

#include "mcp-server/auth/authenticator.h"
#include "mcp-server/auth/rate_limit.h"
#include "mcp-server/policy/tool_filter.h"
#include "mcp-server/transport/streamable_http.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace berth::app {

/// So many different choices of tools are remembered.
inline constexpr std::size_t scopes_kept_max = 64;

/// The tools of a filter; null when it has all there are and so hides nothing.
[[nodiscard]] std::shared_ptr<const mcp::ToolScope> scope_of(const policy::ToolFilter& filter);

/// Safe from many threads. What it is given must outlive it.
class Admission {
public:
    Admission(const auth::Authenticator& authenticator, const auth::RateLimitOptions& rate,
              const policy::ToolFilter& offered, const Clock& clock)
        : authenticator_(authenticator), rate_(rate, clock), offered_(offered) {}

    /// 400 and 401 and 403 for the wrong credentials, 429 for too many requests, 400 for a header
    /// that asks for tools that do not exist.
    [[nodiscard]] std::expected<mcp::Admitted, HttpResponse> admit(const HttpRequest& request);

private:
    [[nodiscard]] std::shared_ptr<const mcp::ToolScope> narrowed(const policy::ToolFilter& wished,
                                                                 const auth::Caller& caller);

    const auth::Authenticator& authenticator_;
    auth::RateLimit rate_;
    policy::ToolFilter offered_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<const mcp::ToolScope>, std::less<>> scopes_;
};

}  // namespace berth::app
