// SPDX-License-Identifier: Apache-2.0
#include "sentinel/registry/token_policy.h"

#include "base/files.h"
#include "sentinel/registry/schema.h"
#include "sentinel/registry/secrets.h"
#include "sentinel/route/pool.h"

#include <fmt/format.h>

#include <set>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr std::size_t id_bytes_max = 64;
constexpr std::size_t digest_digits = 64;
constexpr std::size_t configured_id_digits = 12;
constexpr std::size_t random_token_bytes = 32;
constexpr std::string_view token_prefix = "berth_";

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r";
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return text.substr(0, text.find_last_not_of(blanks) + 1);
}

bool is_id(std::string_view text) {
    return !text.empty() && text.size() <= id_bytes_max &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == text.npos;
}

bool is_token(std::string_view text) {
    return text.size() >= token_bytes_min && text.size() <= token_bytes_max &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

/// Names without blanks around them, each once.
Result<std::vector<std::string>> read_pools(std::string_view text) {
    std::vector<std::string> pools;
    while (true) {
        const auto comma = text.find(',');
        const auto name = trimmed(text.substr(0, comma));
        if (name != "*" && !is_pool_name(name)) {
            return fail(make_error(ErrorCode::invalid_argument,
                                   fmt::format("\"{}\" is no name of a pool", name))
                            .next("write TOKEN=pool1,pool2, or TOKEN=* for all pools"));
        }
        if (std::ranges::find(pools, name) == pools.end()) pools.emplace_back(name);
        if (comma == text.npos) break;
        text.remove_prefix(comma + 1);
    }
    if (pools.size() <= pools_per_credential_max) return pools;
    return fail(ErrorCode::invalid_argument,
                fmt::format("more than {} pools for one token", pools_per_credential_max));
}

std::string identity_of(const Credential& credential) {
    return fmt::format("{}:{}", credential.kind == CredentialKind::token ? "token" : "certificate",
                       credential.id);
}

void merge(std::vector<std::string>& into, const std::vector<std::string>& more) {
    for (const auto& pool : more) {
        if (std::ranges::find(into, pool) == into.end()) into.push_back(pool);
    }
}

Credential& entry(std::vector<Credential>& all, CredentialKind kind, const std::string& digest) {
    const auto found = std::ranges::find(all, digest, &Credential::digest);
    if (found != all.end()) return *found;
    return all.emplace_back(Credential{.id = "configured-" + digest.substr(0, configured_id_digits),
                                       .kind = kind,
                                       .source = CredentialSource::configured,
                                       .digest = digest});
}

}  // namespace

Result<TokenRule> TokenRule::parse(std::string_view text) {
    const auto equals = text.find('=');
    const auto token = trimmed(text.substr(0, equals));
    if (equals == text.npos || !is_token(token)) {
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("a rule does not begin with a token of {} to {} "
                                           "printable characters and '='",
                                           token_bytes_min, token_bytes_max))
                        .next("write TOKEN=pool1,pool2, or TOKEN=* for all pools"));
    }
    auto pools = BERTH_TRY(read_pools(text.substr(equals + 1)));
    return TokenRule{.token = std::string(token), .pools = std::move(pools)};
}

Result<std::vector<TokenRule>> parse_token_rules(std::string_view text) {
    std::vector<TokenRule> rules;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.starts_with('#')) continue;
        auto rule = TokenRule::parse(line);
        if (!rule) return fail(std::move(rule).error().in(fmt::format("line {}", number)));
        if (rules.size() == credentials_max) {
            return fail(ErrorCode::quota_exceeded,
                        fmt::format("more than {} rules for tokens", credentials_max));
        }
        rules.push_back(*std::move(rule));
    }
    return rules;
}

Result<std::unique_ptr<TokenPolicy>> TokenPolicy::open(store::Sqlite& database,
                                                       const Clock& clock) {
    std::unique_ptr<TokenPolicy> policy(new TokenPolicy(database, clock));
    for (const auto& row :
         BERTH_TRY(database.read("SELECT id, digest, pools, created_at FROM credentials"))) {
        policy->made_.push_back({.id = store::text(row[0]),
                                 .digest = store::text(row[1]),
                                 .pools = from_column(row[2]),
                                 .created_at = store::text(row[3])});
    }
    for (const auto& row : BERTH_TRY(database.read("SELECT digest FROM revoked"))) {
        policy->revoked_.push_back(store::text(row[0]));
    }
    return policy;
}

/// Every entry is compared, so that the time says nothing about where a match was.
const Credential* TokenPolicy::find(CredentialKind kind, std::string_view digest) const {
    const Credential* found = nullptr;
    for (const auto* list : {&made_, &configured_}) {
        for (const Credential& one : *list) {
            if (one.kind == kind && equal_in_constant_time(one.digest, digest)) found = &one;
        }
    }
    for (const auto& gone : revoked_) {
        if (equal_in_constant_time(gone, digest)) found = nullptr;
    }
    return found;
}

Result<Identity> TokenPolicy::authenticate(std::string_view token) const {
    const std::string digest = sha256_hex(token);
    const std::scoped_lock lock(mutex_);
    const Credential* const found = find(CredentialKind::token, digest);
    if (found == nullptr) return fail(ErrorCode::denied, "invalid token");
    return Identity{.id = identity_of(*found), .pools = found->pools};
}

Result<Identity> TokenPolicy::authenticate_certificate(std::string_view fingerprint) const {
    const std::scoped_lock lock(mutex_);
    const Credential* const found = find(CredentialKind::certificate, fingerprint);
    if (found == nullptr) return fail(ErrorCode::denied, "unknown certificate");
    return Identity{.id = identity_of(*found), .pools = found->pools};
}

namespace {

Result<Identity> only_for(Identity identity, std::string_view kind, std::string_view pool) {
    if (identity.may(pool)) return identity;
    return fail(ErrorCode::denied, fmt::format("{} not authorized for pool \"{}\"", kind, pool));
}

}  // namespace

Result<Identity> TokenPolicy::authorize(std::string_view token, std::string_view pool) const {
    return only_for(BERTH_TRY(authenticate(token)), "token", pool);
}

Result<Identity> TokenPolicy::authorize_certificate(std::string_view fingerprint,
                                                    std::string_view pool) const {
    return only_for(BERTH_TRY(authenticate_certificate(fingerprint)), "certificate", pool);
}

bool TokenPolicy::has_rule_for(std::string_view fingerprint) const {
    const std::scoped_lock lock(mutex_);
    return find(CredentialKind::certificate, fingerprint) != nullptr ||
           std::ranges::find(revoked_, fingerprint) != revoked_.end();
}

bool TokenPolicy::is_valid(const std::string& identity) const {
    const std::scoped_lock lock(mutex_);
    const auto is_it = [&](const Credential& one) {
        return identity_of(one) == identity && find(one.kind, one.digest) != nullptr;
    };
    return std::ranges::any_of(made_, is_it) || std::ranges::any_of(configured_, is_it);
}

namespace {

Result<> check_token(const std::string& id, const std::vector<std::string>& pools) {
    if (!is_id(id)) {
        return fail(
            make_error(ErrorCode::invalid_argument, "must be 1 to 64 of a-z, 0-9, '.', '_' and '-'")
                .at("/id"));
    }
    for (std::size_t at = 0; at < pools.size(); ++at) {
        if (pools[at] == "*" || is_pool_name(pools[at])) continue;
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("\"{}\" is no name of a pool", pools[at]))
                        .at(fmt::format("/pools/{}", at)));
    }
    if (!pools.empty() && pools.size() <= pools_per_credential_max) return {};
    return fail(make_error(ErrorCode::invalid_argument,
                           fmt::format("must be 1 to {} pools", pools_per_credential_max))
                    .at("/pools"));
}

}  // namespace

/// With the lock.
Result<> TokenPolicy::check_unused(const std::string& id) const {
    if (made_.size() >= credentials_max) {
        return fail(ErrorCode::quota_exceeded,
                    fmt::format("there are {} tokens already", credentials_max));
    }
    const auto used = BERTH_TRY(database_.read(
        "SELECT id FROM credentials WHERE id = ? UNION SELECT id FROM revoked WHERE id = ?",
        {id, id}));
    if (used.empty()) return {};
    return fail(
        make_error(ErrorCode::already_exists, fmt::format("there is, or was, a token \"{}\"", id))
            .at("/id")
            .next("choose another id"));
}

Result<> TokenPolicy::check_new(const std::string& id,
                                const std::vector<std::string>& pools) const {
    BERTH_TRY(check_token(id, pools));
    const std::scoped_lock lock(mutex_);
    return check_unused(id);
}

Result<std::string> TokenPolicy::create(const std::string& id, std::vector<std::string> pools) {
    BERTH_TRY(check_token(id, pools));
    std::string token = std::string(token_prefix) + random_hex(random_token_bytes);
    Credential made{.id = id,
                    .digest = sha256_hex(token),
                    .pools = std::move(pools),
                    .created_at = to_rfc3339(clock_.wall())};
    const std::scoped_lock lock(mutex_);
    BERTH_TRY(check_unused(id));
    BERTH_TRY(
        database_.run("INSERT INTO credentials (id, digest, pools, created_at) VALUES (?, ?, ?, ?)",
                      {made.id, made.digest, to_column(made.pools), made.created_at}));
    made_.push_back(std::move(made));
    return token;
}

Result<> TokenPolicy::revoke(const std::string& id) {
    std::string identity;
    {
        const std::scoped_lock lock(mutex_);
        const Credential* found = nullptr;
        for (const auto* list : {&made_, &configured_}) {
            for (const Credential& one : *list) {
                if (one.id == id && find(one.kind, one.digest) != nullptr) found = &one;
            }
        }
        if (found == nullptr) {
            return fail(
                make_error(ErrorCode::not_found, fmt::format("there is no token \"{}\"", id))
                    .at("/id"));
        }
        const Credential gone = *found;
        BERTH_TRY(database_.transact([&]() -> Result<> {
            BERTH_TRY(database_.run("INSERT INTO revoked (digest, id, revoked_at) VALUES (?, ?, ?)",
                                    {gone.digest, gone.id, to_rfc3339(clock_.wall())}));
            BERTH_TRY(database_.run("DELETE FROM credentials WHERE digest = ?", {gone.digest}));
            return {};
        }));
        revoked_.push_back(gone.digest);
        std::erase_if(made_, [&](const Credential& one) { return one.digest == gone.digest; });
        identity = identity_of(gone);
    }
    tell({identity});
    return {};
}

std::vector<Credential> TokenPolicy::list() const {
    const std::scoped_lock lock(mutex_);
    std::vector<Credential> all;
    for (const auto* list : {&made_, &configured_}) {
        for (const Credential& one : *list) {
            if (find(one.kind, one.digest) != nullptr) all.push_back(one);
        }
    }
    std::ranges::sort(all, {}, &Credential::id);
    return all;
}

Result<> TokenPolicy::configure(const Configured& configured) {
    std::vector<Credential> next;
    for (const auto& rule : configured.tokens) {
        merge(entry(next, CredentialKind::token, sha256_hex(rule.token)).pools, rule.pools);
    }
    for (const auto& certificate : configured.certificates) {
        if (certificate.fingerprint.size() != digest_digits) {
            return fail(ErrorCode::invalid_argument, "a certificate's fingerprint is no SHA-256");
        }
        merge(entry(next, CredentialKind::certificate, certificate.fingerprint).pools,
              certificate.pools);
    }
    std::vector<std::string> ended;
    {
        const std::scoped_lock lock(mutex_);
        for (const Credential& before : configured_) {
            const auto after = std::ranges::find(next, before.digest, &Credential::digest);
            const bool less =
                after == next.end() || !std::ranges::all_of(before.pools, [&](const auto& pool) {
                    return Identity{.id = {}, .pools = after->pools}.may(pool);
                });
            if (less) ended.push_back(identity_of(before));
        }
        configured_ = std::move(next);
    }
    tell(ended);
    return {};
}

void TokenPolicy::on_revoked(std::function<void(const std::string& identity)> listener) {
    const std::scoped_lock lock(mutex_);
    listeners_.push_back(std::move(listener));
}

/// Without the lock, so that a listener may end sessions that ask here meanwhile.
void TokenPolicy::tell(const std::vector<std::string>& identities) {
    std::vector<std::function<void(const std::string&)>> listeners;
    {
        const std::scoped_lock lock(mutex_);
        listeners = listeners_;
    }
    for (const auto& identity : identities) {
        for (const auto& listener : listeners) listener(identity);
    }
}

}  // namespace berth::sentinel
