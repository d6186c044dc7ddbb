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

void merge(std::vector<std::string>& into, const std::vector<std::string>& more) {
    for (const auto& pool : more) {
        if (std::ranges::find(into, pool) == into.end()) into.push_back(pool);
    }
}

std::string identity_of(CredentialKind kind, std::string_view id) {
    return fmt::format("{}:{}", kind == CredentialKind::token ? "token" : "certificate", id);
}

std::string identity_of(const Credential& credential) {
    return identity_of(credential.kind, credential.id);
}

Credential& entry(Credentials& all, CredentialKind kind, const std::string& digest) {
    return all.at(Credential{.id = "configured-" + digest.substr(0, configured_id_digits),
                             .kind = kind,
                             .source = CredentialSource::configured,
                             .digest = digest});
}

}  // namespace

const Credential* Credentials::by_digest(std::string_view digest) const {
    const auto found = by_digest_.find(std::string(digest));
    return found == by_digest_.end() ? nullptr : &found->second;
}

const Credential* Credentials::by_identity(const std::string& identity) const {
    const auto found = digests_.find(identity);
    return found == digests_.end() ? nullptr : by_digest(found->second);
}

Credential& Credentials::at(Credential made) {
    const std::string digest = made.digest;
    const auto [entry, is_new] = by_digest_.try_emplace(digest, std::move(made));
    if (is_new) digests_[identity_of(entry->second)] = digest;
    return entry->second;
}

void Credentials::remove(const std::string& digest) {
    const auto found = by_digest_.find(digest);
    if (found == by_digest_.end()) return;
    digests_.erase(identity_of(found->second));
    by_digest_.erase(found);
}

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
        (void)policy->made_.at({.id = store::text(row[0]),
                                .digest = store::text(row[1]),
                                .pools = from_column(row[2]),
                                .created_at = store::text(row[3])});
    }
    BERTH_TRY(policy->catch_up());
    return policy;
}

/// What is configured counts before what was made, and what is revoked does not count.
const Credential* TokenPolicy::find(CredentialKind kind, std::string_view digest) const {
    if (revoked_.contains(std::string(digest))) return nullptr;
    for (const auto* all : {&configured_, &made_}) {
        const Credential* const found = all->by_digest(digest);
        if (found != nullptr && found->kind == kind) return found;
    }
    return nullptr;
}

const Credential* TokenPolicy::find(const std::string& identity) const {
    for (const auto* all : {&configured_, &made_}) {
        const Credential* const found = all->by_identity(identity);
        if (found != nullptr && !revoked_.contains(found->digest)) return found;
    }
    return nullptr;
}

const Credential* TokenPolicy::called(const std::string& id) const {
    const Credential* const token = find(identity_of(CredentialKind::token, id));
    return token != nullptr ? token : find(identity_of(CredentialKind::certificate, id));
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
           revoked_.contains(std::string(fingerprint));
}

bool TokenPolicy::is_valid(const std::string& identity) const {
    const std::scoped_lock lock(mutex_);
    return find(identity) != nullptr;
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
    if (revoked_.size() >= revoked_max) {
        return fail(
            make_error(ErrorCode::quota_exceeded,
                       fmt::format("{} tokens were revoked already, and each is kept", revoked_max))
                .next("write rules for tokens of your own into a --tunnel-token-file"));
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
    (void)made_.at(std::move(made));
    return token;
}

namespace {

std::unexpected<Error> no_token(const std::string& id) {
    return fail(
        make_error(ErrorCode::not_found, fmt::format("there is no token \"{}\"", id)).at("/id"));
}

}  // namespace

Result<> TokenPolicy::revoke(const std::string& id) {
    std::string identity;
    {
        const std::scoped_lock lock(mutex_);
        const Credential* const found = called(id);
        if (found == nullptr) return no_token(id);
        const Credential gone = *found;
        BERTH_TRY(database_.transact([&]() -> Result<> {
            BERTH_TRY(database_.run("INSERT INTO revoked (digest, id, revoked_at) VALUES (?, ?, ?)",
                                    {gone.digest, gone.id, to_rfc3339(clock_.wall())}));
            BERTH_TRY(database_.run("DELETE FROM credentials WHERE digest = ?", {gone.digest}));
            return {};
        }));
        revoked_.insert(gone.digest);
        made_.remove(gone.digest);
        identity = identity_of(gone);
    }
    tell({identity});
    return {};
}

Result<> TokenPolicy::catch_up() {
    std::vector<std::string> ended;
    {
        const std::scoped_lock lock(mutex_);
        for (const auto& row : BERTH_TRY(
                 database_.read("SELECT rowid, digest FROM revoked WHERE rowid > ? ORDER BY rowid",
                                {last_revoked_}))) {
            last_revoked_ = store::integer(row[0]);
            const std::string digest = store::text(row[1]);
            if (!revoked_.insert(digest).second) continue;
            for (const auto* all : {&configured_, &made_}) {
                if (const auto* const gone = all->by_digest(digest); gone != nullptr) {
                    ended.push_back(identity_of(*gone));
                }
            }
            made_.remove(digest);
        }
    }
    tell(ended);
    return {};
}

std::vector<Credential> TokenPolicy::list() const {
    const std::scoped_lock lock(mutex_);
    std::vector<Credential> all;
    for (const auto* list : {&made_, &configured_}) {
        for (const auto& [digest, one] : *list) {
            if (!revoked_.contains(digest)) all.push_back(one);
        }
    }
    std::ranges::sort(all, {}, &Credential::id);
    return all;
}

Result<Credential> TokenPolicy::get(const std::string& id) const {
    const std::scoped_lock lock(mutex_);
    if (const Credential* const found = called(id); found != nullptr) return *found;
    return no_token(id);
}

Result<> TokenPolicy::configure(const Configured& configured) {
    Credentials next;
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
        for (const auto& [digest, before] : configured_) {
            const Credential* const after = next.by_digest(digest);
            const bool less =
                after == nullptr || !std::ranges::all_of(before.pools, [&](const auto& pool) {
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
