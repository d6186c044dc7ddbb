// SPDX-License-Identifier: Apache-2.0
#include "sentinel/route/route_table.h"

#include "sentinel/tls/server_name.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr unsigned shard_shift = 48;  // the shard is the first 16 bits of a hash, the tag the last

std::size_t shard_of(std::uint64_t hash) {
    return hash >> shard_shift;
}

std::uint16_t tag_of(std::uint64_t hash) {
    return static_cast<std::uint16_t>(hash);
}

std::unexpected<Error> two_routes(std::string_view key) {
    return fail(
        make_error(ErrorCode::already_exists, fmt::format("\"{}{}\" has a route already",
                                                          key.starts_with('.') ? "*" : "", key))
            .next("remove one of the two: a name belongs to one pool"));
}

/// What a table keeps a pool under. No pool's name has a '#'.
std::string key_of(const Pool& pool) {
    return pool.registration == 0 ? pool.name : fmt::format("{}#{}", pool.name, pool.registration);
}

std::unexpected<Error> too_many() {
    return fail(ErrorCode::quota_exceeded, "there are more routes than the table takes");
}

}  // namespace

SipKey random_sip_key() {
    SipKey key{};
    // Up to 256 bytes come whole, and cannot fail once the kernel has started (getrandom(2)).
    [[maybe_unused]] const ssize_t got = ::getrandom(key.data(), sizeof key, 0);
    return key;
}

Result<RoutePattern> RoutePattern::parse(std::string_view text) {
    const bool below = text.starts_with("*.");
    const auto name = ServerName::parse(below ? text.substr(2) : text);
    if (!name) {
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("\"{}\" is no name of a host", text))
                        .next("write a DNS name, or \"*.\" and one for all names below it"));
    }
    return RoutePattern(fmt::format("{}{}", below ? "." : "", name->text()));
}

/// All that one replace() made. Pools stay where they are, so that shards can point at them.
struct RouteTable::Generation {
    std::array<std::atomic<const RouteShard*>, shard_count> shards = {};
    std::map<std::string, std::unique_ptr<KnownPool>, std::less<>> pools;
    std::atomic<const Pool*> default_pool = nullptr;
    std::atomic<std::size_t> wildcards = 0;  // without any, a look-up is one

    Generation() = default;
    Generation(const Generation&) = delete;
    Generation& operator=(const Generation&) = delete;
    ~Generation() {
        for (const auto& shard : shards) RouteShard::Delete{}(shard.load());
    }
};

RouteTable::RouteTable()
    : current_(std::make_unique<Generation>().release()), bytes_(sizeof(Generation::shards)) {}

RouteTable::~RouteTable() {
    const std::unique_ptr<Generation> last(current_.load());
}

Result<> RouteTable::replace(const RouteList& list) {
    if (list.routes.size() > routes_max) return too_many();
    auto next = std::make_unique<Generation>();
    std::vector<KnownPool*> pools;
    for (const Pool& pool : list.pools) {
        auto& known = next->pools[key_of(pool)];
        known = std::make_unique<KnownPool>(KnownPool{.pool = pool, .routes = 0});
        pools.push_back(known.get());
    }
    if (!list.default_pool.empty()) {
        const auto found = std::ranges::find(list.pools, list.default_pool, &Pool::name);
        if (found == list.pools.end()) {
            return fail(make_error(
                ErrorCode::not_found,
                fmt::format("no route names the default pool \"{}\"", list.default_pool)));
        }
        KnownPool& known = *next->pools.find(key_of(*found))->second;
        ++known.routes;  // it stays, whatever becomes of its routes
        next->default_pool = &known.pool;
    }

    // In the order of their hashes: those of a shard together, and the same name twice side by
    // side.
    struct Hashed {
        std::uint64_t hash = 0;
        const RouteList::Route* route = nullptr;
    };
    std::vector<Hashed> all;
    all.reserve(list.routes.size());
    for (const auto& route : list.routes) all.push_back({sip_hash(key_, route.key), &route});
    std::ranges::sort(all, {}, &Hashed::hash);
    std::vector<RouteEntry> entries;
    std::size_t bytes = sizeof(Generation::shards);
    for (std::size_t at = 0; at < all.size();) {
        const std::size_t index = shard_of(all[at].hash);
        entries.clear();
        for (; at < all.size() && shard_of(all[at].hash) == index; ++at) {
            const auto& [hash, route] = all[at];
            if (!entries.empty() && entries.back().name == route->key) {
                return two_routes(route->key);
            }
            entries.push_back(
                {.name = route->key, .tag = tag_of(hash), .pool = &pools[route->pool]->pool});
            if (route->key.starts_with('.')) ++next->wildcards;
            ++pools[route->pool]->routes;
        }
        auto shard = RouteShard::make(entries);
        if (!shard) return too_many();
        bytes += shard->bytes();
        next->shards[index] = shard.release();
    }
    Retired old;
    old.generation.reset(current_.exchange(next.release()));
    count_ = all.size();
    bytes_ = bytes;
    retire(std::move(old));
    return {};
}

Result<> RouteTable::add(const RoutePattern& pattern, const Pool& pool) {
    return set(pattern, pool, Taken::refuse);
}

Result<> RouteTable::put(const RoutePattern& pattern, const Pool& pool) {
    return set(pattern, pool, Taken::replace);
}

/// The table's own copy of a pool, made when there is none.
Result<RouteTable::KnownPool*> RouteTable::known(const Pool& pool) {
    Generation& now = *current_.load();
    auto& known = now.pools[key_of(pool)];
    if (!known) known = std::make_unique<KnownPool>(KnownPool{.pool = pool, .routes = 0});
    if (known->pool == pool) return known.get();
    return fail(make_error(ErrorCode::already_exists,
                           fmt::format("there is another pool \"{}\", at {}", pool.name,
                                       to_string(known->pool.primary))));
}

void RouteTable::forget_if_unused(KnownPool& pool) {
    if (pool.routes > 0) return;
    Generation& now = *current_.load();
    const auto found = now.pools.find(key_of(pool.pool));
    Retired old;
    old.pool = std::move(found->second);
    now.pools.erase(found);
    retire(std::move(old));
}

Result<> RouteTable::set(const RoutePattern& pattern, const Pool& pool, Taken taken) {
    Generation& now = *current_.load();
    const std::string_view key = pattern.key();
    const std::uint64_t hash = sip_hash(key_, key);
    const RouteShard* const shard = now.shards[shard_of(hash)];
    const Pool* const before = shard == nullptr ? nullptr : shard->find(key, tag_of(hash));
    if (before != nullptr && taken == Taken::refuse) return two_routes(key);
    if (before == nullptr && count_ == routes_max) return too_many();
    KnownPool& to = *BERTH_TRY(known(pool));
    if (before == &to.pool) return {};
    std::vector<RouteEntry> entries;
    const std::size_t count = shard == nullptr ? 0 : shard->count();
    entries.reserve(count + 1);
    for (std::size_t index = 0; index < count; ++index) {
        if (shard->entry(index).name != key) entries.push_back(shard->entry(index));
    }
    entries.push_back({.name = key, .tag = tag_of(hash), .pool = &to.pool});
    auto grown = RouteShard::make(entries);
    if (!grown) {
        forget_if_unused(to);
        return too_many();
    }
    ++to.routes;
    if (before == nullptr) {
        ++count_;
        if (key.starts_with('.')) ++now.wildcards;
    }
    put_shard(shard_of(hash), std::move(grown));
    if (before == nullptr) return {};
    KnownPool& from = *now.pools.find(key_of(*before))->second;
    --from.routes;
    forget_if_unused(from);
    return {};
}

Result<> RouteTable::remove(const RoutePattern& pattern) {
    Generation& now = *current_.load();
    const std::string_view key = pattern.key();
    const std::uint64_t hash = sip_hash(key_, key);
    const RouteShard* const shard = now.shards[shard_of(hash)];
    const Pool* const pool = shard == nullptr ? nullptr : shard->find(key, tag_of(hash));
    if (pool == nullptr) {
        return fail(ErrorCode::not_found, fmt::format("\"{}\" has no route", key));
    }
    std::vector<RouteEntry> entries;
    for (std::size_t index = 0; index < shard->count(); ++index) {
        if (shard->entry(index).name != key) entries.push_back(shard->entry(index));
    }
    put_shard(shard_of(hash), entries.empty() ? nullptr : RouteShard::make(entries));
    --count_;
    if (key.starts_with('.')) --now.wildcards;
    KnownPool& known = *now.pools.find(key_of(*pool))->second;
    --known.routes;
    forget_if_unused(known);
    return {};
}

Result<> RouteTable::put_default(const std::optional<Pool>& pool) {
    Generation& now = *current_.load();
    KnownPool* to = nullptr;
    if (pool) {
        to = BERTH_TRY(known(*pool));
        ++to->routes;
    }
    const Pool* const before = now.default_pool.exchange(to == nullptr ? nullptr : &to->pool);
    if (before == nullptr) return {};
    KnownPool& from = *now.pools.find(key_of(*before))->second;
    --from.routes;
    forget_if_unused(from);
    return {};
}

const Pool* RouteTable::at(const RoutePattern& pattern) const noexcept {
    const std::uint64_t hash = sip_hash(key_, pattern.key());
    const RouteShard* const shard = current_.load()->shards[shard_of(hash)];
    return shard == nullptr ? nullptr : shard->find(pattern.key(), tag_of(hash));
}

void RouteTable::put_shard(std::size_t index, RouteShard::Owned shard) {
    Generation& now = *current_.load();
    if (shard) bytes_ += shard->bytes();
    Retired old;
    old.shard.reset(now.shards[index].exchange(shard.release()));
    if (!old.shard) return;
    bytes_ -= old.shard->bytes();
    retire(std::move(old));
}

// A reader says first since when it looks and then follows pointers; here the pointer is gone first
// and then the readers are asked. All of it is sequentially consistent, so whoever is not seen
// looking sees the new pointer.
void RouteTable::retire(Retired retired) {
    retired.change = ++changes_;
    retired_.push_back(std::move(retired));
    std::uint64_t oldest = changes_;
    {
        const std::lock_guard lock(readers_mutex_);
        for (const auto& reader : readers_) {
            if (const auto since = reader->since.load(); since != 0) {
                oldest = std::min(oldest, since);
            }
        }
    }
    while (!retired_.empty() && retired_.front().change <= oldest) retired_.pop_front();
}

RouteReader::RouteReader(RouteTable& table) : table_(table) {
    const std::lock_guard lock(table_.readers_mutex_);
    slot_ = table_.readers_.emplace_back(std::make_unique<RouteTable::ReaderSlot>()).get();
}

RouteReader::~RouteReader() {
    const std::lock_guard lock(table_.readers_mutex_);
    std::erase_if(table_.readers_, [this](const auto& slot) { return slot.get() == slot_; });
}

RouteReader::Look::Look(RouteReader& reader) noexcept : reader_(reader) {
    reader_.slot_->since.store(reader_.table_.changes_.load());
    generation_ = reader_.table_.current_.load();
}

RouteReader::Look::~Look() {
    reader_.slot_->since.store(0);
}

const Pool* RouteReader::Look::exact(std::string_view key) const noexcept {
    const std::uint64_t hash = sip_hash(reader_.table_.key_, key);
    const RouteShard* const shard = generation_->shards[shard_of(hash)].load();
    return shard == nullptr ? nullptr : shard->find(key, tag_of(hash));
}

const Pool* RouteReader::Look::find(std::string_view name) const noexcept {
    const Pool* pool = exact(name);
    if (pool != nullptr || generation_->wildcards.load() == 0) return pool;
    for (auto dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.', dot + 1)) {
        if (pool = exact(name.substr(dot)); pool != nullptr) return pool;
    }
    return nullptr;
}

const Pool* RouteReader::Look::default_pool() const noexcept {
    return generation_->default_pool.load();
}

}  // namespace berth::sentinel
