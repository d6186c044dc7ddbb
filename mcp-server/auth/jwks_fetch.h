// SPDX-License-Identifier: Apache-2.0
// Fetches an authorization server's keys over https. The border to cpp-httplib's TLS client.
#pragma once

#include "mcp-server/auth/jwks_url.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <string>

namespace berth::auth {

inline constexpr std::chrono::seconds jwks_connect_timeout{5};
inline constexpr std::chrono::seconds jwks_read_timeout{5};
/// For the whole answer, so that bytes that drip do not hold a caller up.
inline constexpr std::chrono::seconds jwks_total_timeout{10};

/// The text at that URL. The server's certificate is verified against the system's authorities, or
/// against those in `ca_file` alone. Redirections are not followed. quota_exceeded for more than
/// jwks_bytes_max, unavailable for any answer but 200.
[[nodiscard]] Result<std::string> fetch_jwks(const JwksUrl& url, const std::string& ca_file = "");

}  // namespace berth::auth
