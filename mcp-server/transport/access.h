// SPDX-License-Identifier: Apache-2.0
// Who may speak to a server on loopback: against DNS rebinding, where a web page makes a browser
// send requests here under a foreign name.
#pragma once

#include "base/http_message.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::mcp {

struct HttpAccess {
    std::vector<std::string> allowed_hosts = {};    // names besides localhost, without a port
    std::vector<std::string> allowed_origins = {};  // whole origins, "https://app.example"
};

/// Why the Host or the Origin header is refused; nothing when both are fine.
[[nodiscard]] std::optional<std::string> access_refusal(const HttpHeaders& headers,
                                                        const HttpAccess& access);

}  // namespace berth::mcp
