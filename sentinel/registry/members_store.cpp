// SPDX-License-Identifier: Apache-2.0
// What of the members outlives the process.
#include "base/log.h"
#include "sentinel/registry/members.h"
#include "sentinel/registry/schema.h"

#include <optional>

namespace berth::sentinel {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::system_clock;

std::int64_t to_ms(system_clock::time_point time) {
    return duration_cast<milliseconds>(time.time_since_epoch()).count();
}

system_clock::time_point from_ms(std::int64_t ms) {
    return system_clock::time_point(milliseconds(ms));
}

}  // namespace

Result<> Members::load() {
    for (const auto& row : BERTH_TRY(database_.read("SELECT key, pool, host, lease FROM names"))) {
        const Key place{.pool = store::text(row[1]),
                        .host = store::text(row[2]),
                        .lease = store::integer(row[3]) == 0 ? Lease::ttl : Lease::session};
        const auto name = owned_.try_emplace(store::text(row[0]), Owned{.pool = place.pool}).first;
        if (!place.host.empty()) note_claimant(name, &place);
        name->second.expected = place.lease == Lease::session;
        ++names_of_pool_[place.pool];
    }
    BERTH_TRY(load_registrations());
    return {};
}

Result<> Members::load_registrations() {
    for (const auto& row : BERTH_TRY(database_.read(
             "SELECT pool, host, hostname, aliases, base_domains, address, generation, identity, "
             "backend_id, registered_ms FROM registrations"))) {
        Registration one{.id = next_id_++,
                         .claim = {.pool = store::text(row[0]),
                                   .host = store::text(row[1]),
                                   .hostname = store::text(row[2]),
                                   .aliases = from_column(row[3]),
                                   .base_domains = from_column(row[4]),
                                   .lease = Lease::ttl,
                                   .generation = static_cast<std::uint64_t>(store::integer(row[6])),
                                   .identity = store::text(row[7]),
                                   .backend_id = store::text(row[8])},
                         .registered_at = from_ms(store::integer(row[9])),
                         .last_beat = clock_.wall(),
                         .last_beat_steady = clock_.steady()};
        const auto address = SocketAddress::parse(store::text(row[5]));
        const auto names = normalise(one.claim);
        if (!address || !names) {
            log::error("a registration is not read", {{"pool", one.claim.pool}});
            continue;
        }
        one.claim.destination = *address;
        if (const auto checked = check_destination(*address); !checked) {
            log::error("a registration is not taken up",
                       {{"pool", one.claim.pool}, {"why", checked.error().message}});
            continue;
        }
        const Key place = key_of(one.claim);
        for (const auto& [key, pointer] : *names) {
            const auto owned = owned_.find(key);
            // Another pool has it since: an administrator's word came after.
            if (owned == owned_.end() || owned->second.pool != place.pool) continue;
            owned->second.registration = one.id;
            note_claimant(owned, &place);
        }
        by_id_.emplace(one.id, place);
        members_.emplace(place, std::move(one));
    }
    return replace_static({});
}

Result<> Members::store(const Registration& registration, const Changes& changes) {
    const Claim& claim = registration.claim;
    const auto* const address = std::get_if<SocketAddress>(&claim.destination);
    const auto& [added, taken, dropped] = changes;
    if (claim.lease == Lease::session && added.empty() && taken.empty() && dropped.empty()) {
        return {};
    }
    const std::int64_t lease = claim.lease == Lease::ttl ? 0 : 1;
    return database_.transact([&]() -> Result<> {
        for (const auto& key : dropped) {
            BERTH_TRY(database_.run("DELETE FROM names WHERE key = ?", {key}));
        }
        for (const auto& key : added) {
            BERTH_TRY(
                database_.run("INSERT INTO names (key, pool, host, lease) VALUES (?, ?, ?, ?)",
                              {key, claim.pool, claim.host, lease}));
        }
        for (const auto& key : taken) {
            BERTH_TRY(database_.run("UPDATE names SET host = ?, lease = ? WHERE key = ?",
                                    {claim.host, lease, key}));
        }
        if (claim.lease != Lease::ttl || address == nullptr) return {};
        BERTH_TRY(database_.run(
            "INSERT OR REPLACE INTO registrations (pool, host, hostname, aliases, base_domains, "
            "address, generation, identity, backend_id, registered_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            {claim.pool, claim.host, claim.hostname, to_column(claim.aliases),
             to_column(claim.base_domains), address->to_string(),
             static_cast<std::int64_t>(claim.generation), claim.identity, claim.backend_id,
             to_ms(registration.registered_at)}));
        return {};
    });
}

/// What cannot be deleted comes back at the next start, for the time of a lease.
void Members::forget(const Registration& registration) {
    const auto gone = database_.run("DELETE FROM registrations WHERE pool = ? AND host = ?",
                                    {registration.claim.pool, registration.claim.host});
    if (!gone) log::error("a registration stays", {{"why", gone.error().message}});
}

}  // namespace berth::sentinel
