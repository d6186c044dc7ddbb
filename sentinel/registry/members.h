// SPDX-License-Identifier: Apache-2.0
// Who is registered for which pool, which names they have, and what of that is routed. A name has
// one owner, a pool, and keeps it when its host is away: nobody else gets its visitors.
#pragma once

#include "base/clock.h"
#include "base/sqlite.h"
#include "sentinel/registry/claim.h"
#include "sentinel/registry/warnings.h"
#include "sentinel/route/route_table.h"
#include "sentinel/route/routes_file.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace berth::sentinel {

constexpr std::size_t registrations_max = 100'000;
constexpr std::size_t names_per_pool_max = 100'000;
/// Of a file of routes, which may have a million pools, so many are watched: the first.
constexpr std::size_t static_watched_max = 1'000;

/// A pool of the file of routes.
struct StaticPool {
    std::string name;
    Destination primary;
    std::uint64_t watched = 0;  // as Pool::watched, and no registration's id either
};
struct StaticPools {
    std::vector<StaticPool> watched = {};
    std::size_t others = 0;
};

struct Registration {
    std::uint64_t id = 0;  // never used twice by a process
    Claim claim;           // with names as they are routed: lower case, no dot at the end
    std::chrono::system_clock::time_point registered_at = {}, last_beat = {};
    std::chrono::steady_clock::time_point last_beat_steady = {};
};

/// All of it may be called from any thread.
class Members {
public:
    /// Reads what was registered when the last process ended: leases of kind ttl are routed again
    /// and have their whole time anew; names of all others are known and go nowhere. What it is
    /// given outlives it, and nobody else writes the table.
    [[nodiscard]] static Result<std::unique_ptr<Members>> open(store::Sqlite& database,
                                                               RouteTable& table,
                                                               Warnings& warnings,
                                                               const Clock& clock,
                                                               PoolSettings settings);

    /// Registers, routes its names, and takes the place of what this host of this pool had by
    /// a lease of the same kind; names that it claimed last and does not claim again are free, also
    /// when it was away meanwhile. Durable when it returns. invalid_argument
    /// names the field as a JSON Pointer; already_exists for a name that another pool owns, another
    /// host of the pool has, or a static route leads elsewhere, which is a warning too; busy for a
    /// generation that is over. Then nothing is changed.
    /// `before` is called when nothing can go wrong any more, and before a visitor can come.
    using Before = std::function<void(const Registration&)>;
    [[nodiscard]] Result<Registration> claim(Claim claim, const Before& before = {});
    /// Ends that registration and no later one of the same host. False when it is over already.
    bool release(std::uint64_t id);
    /// Ends all registrations of an identity, which may not have any more.
    void release_identity(const std::string& identity);
    /// Ends what a pool registered by ttl; not_found.
    [[nodiscard]] Result<> leave(std::string_view pool);
    /// A sign of life of what a pool registered by ttl; not_found, and then it registers again.
    [[nodiscard]] Result<Registration> beat(std::string_view pool);
    /// Ends what has not beaten for PoolSettings::registration_ttl. How long until the next is due.
    std::chrono::milliseconds expire();

    /// Until it thaws, who registers is told to come again at once: another process is taking over
    /// and has read what there is.
    void freeze(bool frozen);

    /// In the order of pool and host.
    [[nodiscard]] std::vector<Registration> list() const;
    /// All names that have an owner, routed or not, with their pool; "*.base" for those below one.
    [[nodiscard]] std::map<std::string, std::string> owners() const;

    /// Gives a name to a pool, or ("") to whoever claims it next. not_found for a name without an
    /// owner that is given to nobody. Who had it loses it at once.
    [[nodiscard]] Result<> transfer(std::string_view name, const std::string& pool);

    /// Replaces what is routed beside the registrations. The file's word counts before a
    /// registration's, which is a warning.
    [[nodiscard]] Result<> replace_static(RouteList list);
    /// Those of the file.
    [[nodiscard]] StaticPools static_pools() const;

private:
    struct Owned {
        std::string pool;
        std::string host = {};  // of the pool, that claimed it last; "": none
        Lease lease = Lease::ttl;
        std::uint64_t registration = 0;  // that routes it; 0: none
        bool hidden = false;             // behind a static route
        bool expected = false;           // nothing since the start from the tunnel it came through
    };
    /// Two hosts may call themselves alike, one by HTTP and one by its tunnel: they are two.
    struct Key {
        std::string pool, host;
        Lease lease = Lease::ttl;
        auto operator<=>(const Key&) const = default;
    };
    [[nodiscard]] static Key key_of(const Claim& claim) {
        return {.pool = claim.pool, .host = claim.host, .lease = claim.lease};
    }
    /// What a claim does to the names of its pool.
    struct Changes {
        std::vector<std::string> added;    // that nobody owned
        std::vector<std::string> taken;    // that another host of the pool claimed last
        std::vector<std::string> dropped;  // that this host claimed last, and does not any more
    };

    Members(store::Sqlite& database, RouteTable& table, Warnings& warnings, const Clock& clock,
            PoolSettings settings);

    // Rows (members_store.cpp).
    [[nodiscard]] Result<> load();
    [[nodiscard]] Result<> load_registrations();
    [[nodiscard]] Result<> store(const Registration& registration, const Changes& changes);
    void forget(const Registration& registration);

    [[nodiscard]] Result<> check_destination(const Destination& destination) const;

    // Names (members_names.cpp).
    [[nodiscard]] Result<> check_names(const Claim& claim, const std::vector<ClaimedName>& names,
                                       const Changes& changes);
    [[nodiscard]] Changes changes_by(const Key& place, const std::vector<ClaimedName>& names) const;
    void note_claimant(std::map<std::string, Owned, std::less<>>::iterator name, const Key* host);
    [[nodiscard]] std::string holder(const Claim& claim, const std::string& key) const;
    [[nodiscard]] bool is_static(const std::string& key) const;
    [[nodiscard]] Pool pool_of(const Registration& registration) const;
    [[nodiscard]] Pool away(const std::string& pool, bool expected = false) const;
    [[nodiscard]] const Registration* registration_of(std::uint64_t id) const;
    [[nodiscard]] Pool destination_of(const Owned& owned) const;
    [[nodiscard]] Result<> route(const std::string& key, Owned& owned);
    void free_name(const std::string& key);
    [[nodiscard]] Pool default_choice() const;
    void choose_default();
    [[nodiscard]] StaticPools watch(std::vector<Pool>& pools);

    void end(std::map<Key, Registration>::iterator member);
    [[nodiscard]] std::map<Key, Registration>::iterator by_ttl(std::string_view pool);

    store::Sqlite& database_;
    RouteTable& table_;
    Warnings& warnings_;
    const Clock& clock_;
    const PoolSettings settings_;
    mutable std::mutex mutex_;
    std::map<Key, Registration> members_;
    std::map<std::uint64_t, Key> by_id_;
    std::map<std::string, Owned, std::less<>> owned_;  // by RoutePattern::key()
    /// Names by who claimed them last, whether that host is there or not: keys of owned_.
    std::map<Key, std::vector<std::string_view>> claimed_;
    std::map<std::string, std::size_t, std::less<>> names_of_pool_;
    bool static_default_ = false;  // a static route names the default pool
    StaticPools static_;
    std::uint64_t next_id_ = 1;
    bool frozen_ = false;
};

}  // namespace berth::sentinel
