// SPDX-License-Identifier: Apache-2.0
// Who has which name, and where it leads.
#include "base/log.h"
#include "sentinel/registry/members.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr std::uint64_t away_registration = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t expected_registration = away_registration - 1;
constexpr const char* conflict = "hostname_conflict";

std::string entity_of(const std::string& key) {
    return "hostname/" + pattern_of(key);
}

/// Keys come from names that were read as such.
RoutePattern pattern(const std::string& key) {
    return RoutePattern::parse(pattern_of(key)).value();
}

/// ".b.c" and ".c" for "a.b.c": the keys under which all names below something are kept, of which
/// this is one.
std::vector<std::string> enclosing(std::string_view key) {
    std::vector<std::string> all;
    for (auto dot = key.find('.', 1); dot != key.npos; dot = key.find('.', dot + 1)) {
        all.emplace_back(key.substr(dot));
    }
    return all;
}

}  // namespace

bool Members::is_static(const std::string& key) const {
    const Pool* const pool = table_.at(pattern(key));
    return pool != nullptr && pool->registration == 0;
}

/// Why a claim does not get a name, or "".
std::string Members::holder(const Claim& claim, const std::string& key) const {
    if (const auto found = owned_.find(key); found != owned_.end()) {
        if (found->second.pool != claim.pool) {
            return fmt::format("pool \"{}\" owns it", found->second.pool);
        }
        const Registration* const other = registration_of(found->second.registration);
        if (other == nullptr || key_of(other->claim) == key_of(claim)) return "";
        return fmt::format("host \"{}\" of the pool has it", other->claim.host);
    }
    if (is_static(key)) return "a static route has it";
    for (const auto& above : enclosing(key)) {
        if (is_static(above)) return fmt::format("a static route has {}", pattern_of(above));
        const auto found = owned_.find(above);
        if (found != owned_.end() && found->second.pool != claim.pool) {
            return fmt::format("pool \"{}\" owns {}", found->second.pool, pattern_of(above));
        }
    }
    return "";
}

Members::Changes Members::changes_by(const Key& place,
                                     const std::vector<ClaimedName>& names) const {
    Changes changes;
    std::set<std::string_view> wanted;
    for (const auto& [key, pointer] : names) {
        wanted.insert(key);
        const auto found = owned_.find(key);
        if (found == owned_.end()) {
            changes.added.push_back(key);
        } else if (found->second.host != place.host || found->second.lease != place.lease) {
            changes.taken.push_back(key);
        }
    }
    const auto before = claimed_.find(place);
    if (before == claimed_.end()) return changes;
    for (const auto& key : before->second) {
        if (!wanted.contains(key)) changes.dropped.emplace_back(key);
    }
    return changes;
}

/// nullptr: nobody of its pool, before it is another's or nobody's at all.
void Members::note_claimant(std::map<std::string, Owned, std::less<>>::iterator name,
                            const Key* host) {
    auto& [key, owned] = *name;
    if (host != nullptr && owned.host == host->host && owned.lease == host->lease) return;
    if (!owned.host.empty()) {
        const auto before =
            claimed_.find(Key{.pool = owned.pool, .host = owned.host, .lease = owned.lease});
        std::erase(before->second, std::string_view(key));
        if (before->second.empty()) claimed_.erase(before);
    }
    owned.host = host == nullptr ? "" : host->host;
    owned.lease = host == nullptr ? Lease::ttl : host->lease;
    if (host != nullptr) claimed_[*host].emplace_back(key);
}

Result<> Members::check_names(const Claim& claim, const std::vector<ClaimedName>& names,
                              const Changes& changes) {
    const auto count = names_of_pool_.find(claim.pool);
    if (count != names_of_pool_.end() &&
        count->second + changes.added.size() > names_per_pool_max + changes.dropped.size()) {
        return fail(make_error(ErrorCode::quota_exceeded,
                               fmt::format("a pool has at most {} names", names_per_pool_max))
                        .at("/aliases"));
    }
    for (const auto& [key, pointer] : names) {
        const std::string why = holder(claim, key);
        if (why.empty()) continue;
        warnings_.raise(conflict, entity_of(key),
                        fmt::format("host \"{}\" of pool \"{}\" wants {}, and {}", claim.host,
                                    claim.pool, pattern_of(key), why));
        return fail(
            make_error(ErrorCode::already_exists, fmt::format("{}: {}", pattern_of(key), why))
                .at(pointer)
                .next("leave the name out, or have an administrator of the sentinel transfer it"));
    }
    return {};
}

Pool Members::pool_of(const Registration& registration) const {
    const Claim& claim = registration.claim;
    const auto& told = settings_.proxy_protocol;
    return {.name = claim.pool,
            .primary = claim.destination,
            .proxy_protocol = told.contains("*") || told.contains(claim.pool),
            .registration = registration.id};
}

Pool Members::away(const std::string& pool, bool expected) const {
    return {.name = pool,
            .primary = Nowhere{.expected = expected},
            .registration = expected ? expected_registration : away_registration};
}

const Registration* Members::registration_of(std::uint64_t id) const {
    const auto place = by_id_.find(id);
    return place == by_id_.end() ? nullptr : &members_.find(place->second)->second;
}

Pool Members::destination_of(const Owned& owned) const {
    const Registration* const registration = registration_of(owned.registration);
    return registration == nullptr ? away(owned.pool, owned.expected) : pool_of(*registration);
}

Result<> Members::route(const std::string& key, Owned& owned) {
    if (owned.hidden) return {};
    return table_.put(pattern(key), destination_of(owned));
}

void Members::free_name(const std::string& key) {
    const auto found = owned_.find(key);
    if (found == owned_.end()) return;
    if (!found->second.hidden) (void)table_.remove(pattern(key));
    note_claimant(found, nullptr);
    --names_of_pool_[found->second.pool];
    owned_.erase(found);
    warnings_.resolve(conflict, entity_of(key));
}

/// Where names without a route go, when no static route says so: to a host of the default pool that
/// takes visitors, by ttl rather than by a session, or, while there is none, to nobody.
Pool Members::default_choice() const {
    const Registration* chosen = nullptr;
    for (const auto& [place, registration] : members_) {
        const Claim& claim = registration.claim;
        // A peer without a hostname is there for other hosts, and has no port for visitors.
        const bool takes_visitors =
            !claim.hostname.empty() && !std::holds_alternative<Nowhere>(claim.destination);
        if (claim.pool != settings_.default_pool || !takes_visitors) continue;
        if (chosen == nullptr || claim.lease == Lease::ttl) chosen = &registration;
        if (claim.lease == Lease::ttl) break;
    }
    return chosen == nullptr ? away(settings_.default_pool) : pool_of(*chosen);
}

void Members::choose_default() {
    if (settings_.default_pool.empty() || static_default_) return;
    if (const auto put = table_.put_default(default_choice()); !put) {
        log::error("the default pool stays as it was", {{"why", put.error().message}});
    }
}

Result<> Members::transfer(std::string_view name, const std::string& pool) {
    const auto wanted = RoutePattern::parse(name);
    if (!wanted) return fail(Error(wanted.error()).at("/hostname"));
    if (!pool.empty() && !is_pool_name(pool)) {
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("\"{}\" is no name of a pool", pool))
                        .at("/pool"));
    }
    const std::string& key = wanted->key();
    const std::scoped_lock lock(mutex_);
    if (is_static(key) && !owned_.contains(key)) {
        return fail(make_error(ErrorCode::already_exists, "a static route has the name")
                        .at("/hostname")
                        .next("change the file of routes"));
    }
    if (pool.empty()) {
        if (!owned_.contains(key)) {
            return fail(make_error(ErrorCode::not_found, fmt::format("nobody owns \"{}\"", name))
                            .at("/hostname"));
        }
        BERTH_TRY(database_.run("DELETE FROM names WHERE key = ?", {key}));
        free_name(key);
        return {};
    }
    BERTH_TRY(
        database_.run("INSERT INTO names (key, pool) VALUES (?, ?) "
                      "ON CONFLICT (key) DO UPDATE SET pool = excluded.pool, host = ''",
                      {key, pool}));
    warnings_.resolve(conflict, entity_of(key));
    const auto entry = owned_.try_emplace(key).first;
    Owned& owned = entry->second;
    note_claimant(entry, nullptr);
    if (!owned.pool.empty()) --names_of_pool_[owned.pool];
    ++names_of_pool_[pool];
    if (owned.pool != pool) owned.registration = 0;
    owned.expected = false;
    owned.pool = pool;
    return route(key, owned);
}

/// What was watched before keeps its number, and with it what is known of it.
StaticPools Members::watch(std::vector<Pool>& pools) {
    std::map<std::pair<std::string_view, Destination>, std::uint64_t> before;
    for (const auto& one : static_.watched) before[{one.name, one.primary}] = one.watched;
    StaticPools now;
    for (Pool& pool : pools) {
        if (now.watched.size() == static_watched_max) break;
        const auto known = before.find({pool.name, pool.primary});
        pool.watched = known == before.end() ? next_id_++ : known->second;
        now.watched.push_back(
            {.name = pool.name, .primary = pool.primary, .watched = pool.watched});
    }
    now.others = pools.size() - now.watched.size();
    return now;
}

StaticPools Members::static_pools() const {
    const std::scoped_lock lock(mutex_);
    return static_;
}

Result<> Members::replace_static(RouteList list) {
    const std::scoped_lock lock(mutex_);
    StaticPools watched = watch(list.pools);
    std::set<std::string, std::less<>> hidden;
    for (const auto& route : list.routes) {
        const auto found = owned_.find(route.key);
        if (found != owned_.end()) hidden.insert(found->first);
    }
    const bool has_default =
        std::ranges::find(list.pools, settings_.default_pool, &Pool::name) != list.pools.end();
    std::map<std::uint64_t, std::uint32_t> registered;           // indices of list.pools
    std::map<std::pair<std::string, bool>, std::uint32_t> gone;  // by pool and `expected`
    list.default_pool = settings_.default_pool;
    if (!has_default && !list.default_pool.empty()) {
        // In the same swap as the routes, so that no visitor finds a table without it. It is the
        // first of its name.
        Pool chosen = default_choice();
        const auto next = static_cast<std::uint32_t>(list.pools.size());
        if (std::holds_alternative<Nowhere>(chosen.primary)) {
            gone.emplace(std::pair(chosen.name, false), next);
        } else {
            registered.emplace(chosen.registration, next);
        }
        list.pools.push_back(std::move(chosen));
    }
    for (const auto& [key, owned] : owned_) {
        if (hidden.contains(key)) continue;
        const bool is_away = registration_of(owned.registration) == nullptr;
        const auto next = static_cast<std::uint32_t>(list.pools.size());
        const auto [index, is_new] = is_away ? [&] {
            const auto [at, made] = gone.emplace(std::pair(owned.pool, owned.expected), next);
            return std::pair(at->second, made);
        }()
                                             : [&] {
                                                   const auto [at, made] =
                                                       registered.emplace(owned.registration, next);
                                                   return std::pair(at->second, made);
                                               }();
        if (is_new) list.pools.push_back(destination_of(owned));
        list.routes.push_back({.key = key, .pool = index});
    }
    BERTH_TRY(table_.replace(list));
    static_ = std::move(watched);
    static_default_ = has_default;
    for (auto& [key, owned] : owned_) {
        const bool now = hidden.contains(key);
        if (now && !owned.hidden) {
            warnings_.raise("static_route", entity_of(key),
                            fmt::format("a static route leads {} away from pool \"{}\", which owns "
                                        "it",
                                        pattern_of(key), owned.pool));
        } else if (!now && owned.hidden) {
            warnings_.resolve("static_route", entity_of(key));
        }
        owned.hidden = now;
    }
    return {};
}

}  // namespace berth::sentinel
