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
    for (const auto& row : BERTH_TRY(database_.read("SELECT key, pool FROM names"))) {
        const std::string key = store::text(row[0]);
        owned_[key].pool = store::text(row[1]);
        ++names_of_pool_[store::text(row[1])];
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
        }
        by_id_.emplace(one.id, place);
        members_.emplace(place, std::move(one));
    }
    return replace_static({});
}

Result<> Members::store(const Registration& registration, const std::vector<std::string>& added,
                        const std::vector<std::string>& dropped) {
    const Claim& claim = registration.claim;
    const auto* const address = std::get_if<SocketAddress>(&claim.destination);
    if (claim.lease == Lease::session && added.empty() && dropped.empty()) return {};
    return database_.transact([&]() -> Result<> {
        for (const auto& key : dropped) {
            BERTH_TRY(database_.run("DELETE FROM names WHERE key = ?", {key}));
        }
        for (const auto& key : added) {
            BERTH_TRY(
                database_.run("INSERT INTO names (key, pool) VALUES (?, ?)", {key, claim.pool}));
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
