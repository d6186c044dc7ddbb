// SPDX-License-Identifier: Apache-2.0
#include "sentinel/registry/claim.h"

#include "sentinel/tls/server_name.h"
#include "tools-schema/contract/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace berth::sentinel {
namespace {

std::unexpected<Error> wrong(std::string pointer, std::string why) {
    return fail(make_error(ErrorCode::invalid_argument, std::move(why)).at(pointer));
}

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Writes `name` as it is routed and adds its key, once.
Result<> take(std::string& name, bool below, std::string pointer, std::vector<ClaimedName>& into) {
    const auto parsed = ServerName::parse(name);
    if (!parsed) return wrong(std::move(pointer), fmt::format("\"{}\" is no name of a host", name));
    name = parsed->text();
    if (below && !name.contains('.')) {
        return fail(
            make_error(
                ErrorCode::invalid_argument,
                fmt::format("\"{}\" has one label, and names below it are other people's", name))
                .at(pointer)
                .next("give a base domain of two labels or more, as apps.example.com"));
    }
    std::string key = below ? "." + name : name;
    const bool known =
        std::ranges::any_of(into, [&](const ClaimedName& one) { return one.key == key; });
    if (!known) into.push_back({.key = std::move(key), .pointer = std::move(pointer)});
    return {};
}

}  // namespace

bool is_host_id(std::string_view text) {
    return !text.empty() && text.size() <= host_id_bytes_max && is_alphanumeric(text.front()) &&
           std::ranges::all_of(text, [](char c) {
               return is_alphanumeric(c) || c == '.' || c == '_' || c == ':' || c == '-';
           });
}

std::string pattern_of(std::string_view key) {
    return fmt::format("{}{}", key.starts_with('.') ? "*" : "", key);
}

std::vector<std::string> keys_of(const Claim& claim) {
    std::vector<std::string> keys;
    if (!claim.hostname.empty()) keys.push_back(claim.hostname);
    keys.insert(keys.end(), claim.aliases.begin(), claim.aliases.end());
    for (const auto& base : claim.base_domains) keys.push_back("." + base);
    return keys;
}

Result<std::vector<ClaimedName>> normalise(Claim& claim) {
    if (!claim.pool.empty() && !is_pool_name(claim.pool)) {
        return wrong(
            "/pool",
            fmt::format("\"{}\" is no name of a pool: 1 to 63 of a-z, 0-9 and '-'", claim.pool));
    }
    if (!is_host_id(claim.host)) {
        return wrong("/host", "must be 1 to 128 of letters, digits, '.', '_', ':' and '-'");
    }
    const std::size_t more = claim.aliases.size() + claim.base_domains.size();
    if (claim.hostname.empty()) {
        if (more > 0) return wrong("/hostname", "aliases and base domains need a hostname");
        return std::vector<ClaimedName>{};
    }
    if (claim.pool.empty()) return wrong("/pool", "a hostname needs a pool");
    if (more >= names_per_claim_max) {
        return wrong("/aliases", fmt::format("more than {} names", names_per_claim_max));
    }
    std::vector<ClaimedName> names;
    BERTH_TRY(take(claim.hostname, false, "/hostname", names));
    for (std::size_t at = 0; at < claim.aliases.size(); ++at) {
        BERTH_TRY(take(claim.aliases[at], false, pointer_to("/aliases", at), names));
    }
    for (std::size_t at = 0; at < claim.base_domains.size(); ++at) {
        BERTH_TRY(take(claim.base_domains[at], true, pointer_to("/base_domains", at), names));
    }
    return names;
}

}  // namespace berth::sentinel
