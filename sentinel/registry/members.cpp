// SPDX-License-Identifier: Apache-2.0
#include "sentinel/registry/members.h"

#include "base/log.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::sentinel {

using std::chrono::milliseconds;

Members::Members(store::Sqlite& database, RouteTable& table, Warnings& warnings, const Clock& clock,
                 PoolSettings settings)
    : database_(database),
      table_(table),
      warnings_(warnings),
      clock_(clock),
      settings_(std::move(settings)) {}

Result<std::unique_ptr<Members>> Members::open(store::Sqlite& database, RouteTable& table,
                                               Warnings& warnings, const Clock& clock,
                                               PoolSettings settings) {
    std::unique_ptr<Members> members(
        new Members(database, table, warnings, clock, std::move(settings)));
    BERTH_TRY(members->load());
    return members;
}

/// Visitors would be led back to us, who would lead them there again.
Result<> Members::check_destination(const Destination& destination) const {
    const auto* const address = std::get_if<SocketAddress>(&destination);
    if (address == nullptr || !settings_.own.lead_back(*address)) return {};
    return fail(make_error(ErrorCode::invalid_argument,
                           fmt::format("{} is the sentinel itself", address->to_string()))
                    .at("/ip")
                    .next("give the address and port of your primary"));
}

Result<Registration> Members::claim(Claim claim, const Before& before_routing) {
    const auto names = BERTH_TRY(normalise(claim));
    BERTH_TRY(check_destination(claim.destination));
    const std::scoped_lock lock(mutex_);
    if (frozen_) {
        return fail(make_error(ErrorCode::busy, "the sentinel is being replaced by another process")
                        .next("register again in a second"));
    }
    const Key place = key_of(claim);
    const auto before = members_.find(place);
    if (before == members_.end() && members_.size() >= registrations_max) {
        return fail(ErrorCode::quota_exceeded,
                    fmt::format("{} hosts are registered already", registrations_max));
    }
    if (before != members_.end() && claim.generation < before->second.claim.generation) {
        return fail(
            make_error(ErrorCode::busy,
                       fmt::format("generation {} of host \"{}\" is over: {} is registered",
                                   claim.generation, claim.host, before->second.claim.generation))
                .at("/generation"));
    }
    const Changes changes = changes_by(place, names);
    BERTH_TRY(check_names(claim, names, changes));
    Registration registration{.id = next_id_++,
                              .claim = std::move(claim),
                              .registered_at = clock_.wall(),
                              .last_beat = clock_.wall(),
                              .last_beat_steady = clock_.steady()};
    std::uint64_t old = 0;
    if (before != members_.end()) {
        old = before->second.id;
        registration.registered_at = before->second.registered_at;
    }
    BERTH_TRY(store(registration, changes));
    if (before_routing) before_routing(registration);
    members_.insert_or_assign(place, registration);
    by_id_.erase(old);
    by_id_.emplace(registration.id, place);
    for (const auto& key : changes.dropped) free_name(key);
    names_of_pool_[place.pool] += changes.added.size();
    for (const auto& [key, pointer] : names) {
        const auto name = owned_.try_emplace(key, Owned{.pool = place.pool}).first;
        note_claimant(name, &place);
        Owned& owned = name->second;
        owned.registration = registration.id;
        owned.expected = false;
        // All that can be wrong with it has been checked.
        if (const auto routed = route(key, owned); !routed) {
            log::error("a name is not routed", {{"name", key}, {"why", routed.error().message}});
        }
    }
    choose_default();
    return registration;
}

void Members::end(std::map<Key, Registration>::iterator member) {
    const Registration gone = member->second;
    members_.erase(member);
    by_id_.erase(gone.id);
    if (gone.claim.lease == Lease::ttl) forget(gone);
    for (const auto& key : keys_of(gone.claim)) {
        const auto owned = owned_.find(key);
        if (owned == owned_.end() || owned->second.registration != gone.id) continue;
        owned->second.registration = 0;
        if (const auto routed = route(key, owned->second); !routed) {
            log::error("a name is not routed", {{"name", key}, {"why", routed.error().message}});
        }
    }
    choose_default();
}

bool Members::release(std::uint64_t id) {
    const std::scoped_lock lock(mutex_);
    const auto place = by_id_.find(id);
    if (place == by_id_.end()) return false;
    end(members_.find(place->second));
    return true;
}

void Members::release_identity(const std::string& identity) {
    const std::scoped_lock lock(mutex_);
    for (auto member = members_.begin(); member != members_.end();) {
        const auto next = std::next(member);
        if (member->second.claim.identity == identity) end(member);
        member = next;
    }
}

std::map<Members::Key, Registration>::iterator Members::by_ttl(std::string_view pool) {
    auto member = members_.lower_bound(Key{.pool = std::string(pool), .host = ""});
    for (; member != members_.end() && member->first.pool == pool; ++member) {
        if (member->second.claim.lease == Lease::ttl) return member;
    }
    return members_.end();
}

namespace {

std::unexpected<Error> not_registered(std::string_view pool) {
    return fail(make_error(ErrorCode::not_found, "pool not registered")
                    .next(fmt::format("POST /sentinel/primaries for pool \"{}\"", pool)));
}

}  // namespace

Result<> Members::leave(std::string_view pool) {
    const std::scoped_lock lock(mutex_);
    const auto member = by_ttl(pool);
    if (member == members_.end()) return not_registered(pool);
    end(member);
    return {};
}

Result<Registration> Members::beat(std::string_view pool) {
    const std::scoped_lock lock(mutex_);
    const auto member = by_ttl(pool);
    if (member == members_.end()) return not_registered(pool);
    member->second.last_beat = clock_.wall();
    member->second.last_beat_steady = clock_.steady();
    return member->second;
}

milliseconds Members::expire() {
    const std::scoped_lock lock(mutex_);
    const auto now = clock_.steady();
    std::chrono::steady_clock::time_point next_due = now + settings_.registration_ttl;
    for (auto member = members_.begin(); member != members_.end();) {
        const auto next = std::next(member);
        const Registration& one = member->second;
        if (one.claim.lease == Lease::ttl) {
            const auto due = one.last_beat_steady + settings_.registration_ttl;
            if (due <= now) {
                log::warning("a pool's primary has not beaten in time",
                             {{"pool", one.claim.pool}, {"host", one.claim.host}});
                end(member);
            } else {
                next_due = std::min(next_due, due);
            }
        }
        member = next;
    }
    return std::chrono::ceil<milliseconds>(next_due - now);
}

void Members::freeze(bool frozen) {
    const std::scoped_lock lock(mutex_);
    frozen_ = frozen;
}

std::vector<Registration> Members::list() const {
    const std::scoped_lock lock(mutex_);
    std::vector<Registration> all;
    all.reserve(members_.size());
    for (const auto& [place, registration] : members_) all.push_back(registration);
    return all;
}

std::map<std::string, std::string> Members::owners() const {
    const std::scoped_lock lock(mutex_);
    std::map<std::string, std::string> all;
    for (const auto& [key, owned] : owned_) all.emplace(pattern_of(key), owned.pool);
    return all;
}

}  // namespace berth::sentinel
