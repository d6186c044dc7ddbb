// SPDX-License-Identifier: Apache-2.0
// Fuzz target: access tokens and sets of keys, which strangers send and servers publish. The first
// line is the token, the rest the keys. Nothing that was not signed may be believed.
#include "mcp-server/auth/jwt.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::auth;
    const std::string_view text(reinterpret_cast<const char*>(bytes), count);
    const std::size_t line = std::min(text.find('\n'), text.size());
    const auto keys = Jwks::parse(text.substr(std::min(line + 1, text.size())));
    if (keys && (keys->size() == 0 || keys->size() > jwks_keys_max)) std::abort();
    const auto token = parse_jwt(text.substr(0, line));
    if (token && (token->signature.empty() || !token->claims.is_object())) std::abort();
    if (!token || !keys) return 0;
    // The corpus holds no token for this audience, and no fuzzer finds a signature.
    const JwtRules rules{.issuer = "https://as.example", .audience = "https://berth.example/mcp"};
    if (verify_jwt(*token, *keys, rules, std::chrono::system_clock::time_point{})) std::abort();
    return 0;
}
