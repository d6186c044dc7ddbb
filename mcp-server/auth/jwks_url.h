// SPDX-License-Identifier: Apache-2.0
// Where an authorization server's keys are, as a URL that may be trusted.
#pragma once

#include "tools-schema/contract/result.h"

#include <string>
#include <string_view>

namespace berth::auth {

/// An address of 127.0.0.0/8, "::1" or "localhost".
[[nodiscard]] bool is_loopback(const std::string& host);

/// Where keys are: "https://as.example/keys"; http only on loopback, where nobody is in between.
struct JwksUrl {
    bool tls = true;
    std::string host;  // without brackets
    int port = 443;
    std::string path = "/";

    [[nodiscard]] static Result<JwksUrl> parse(std::string_view text);
};

}  // namespace berth::auth
