// SPDX-License-Identifier: Apache-2.0
// Fuzz targets: what hosts send to register, and rules for tokens. What is read is a claim whose
// names are keys of the route table, and no rule says its token in a complaint.
#include "sentinel/registry/claim_json.h"
#include "sentinel/registry/token_policy.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::sentinel;
    const std::string_view text(reinterpret_cast<const char*>(bytes), count);
    (void)parse_token_rules(text);
    const auto elsewhere = berth::SocketAddress::parse("192.0.2.1:1000").value();
    auto claim = parse_claim(text, elsewhere);
    if (!claim) return claim.error().message.empty() ? (std::abort(), 1) : 0;
    const auto* const to = std::get_if<berth::SocketAddress>(&claim->destination);
    if (to == nullptr || to->port() == 0 || to->to_string().starts_with("127.")) std::abort();
    const auto names = normalise(*claim);
    if (!names) return names.error().field.starts_with('/') ? 0 : (std::abort(), 1);
    if (names->empty()) std::abort();
    for (const auto& name : *names) {
        const auto pattern = RoutePattern::parse(pattern_of(name.key));
        if (!pattern || pattern->key() != name.key) std::abort();
    }
    return 0;
}
