// SPDX-License-Identifier: Apache-2.0
// Which pool a name belongs to: 65,536 shards that never change, each behind one atomic pointer.
// One thread writes; readers take no lock, and what they can still see is freed after them.
#pragma once

#include "sentinel/route/route_shard.h"
#include "sentinel/route/sip_hash.h"
#include "tools-schema/contract/result.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::sentinel {

/// A name that routes are kept under, or all names below one: "*.example.com" is for every name
/// that ends in ".example.com", with any number of labels in front.
class RoutePattern {
public:
    [[nodiscard]] static Result<RoutePattern> parse(std::string_view text);
    /// "example.com", or ".example.com" for those below it.
    [[nodiscard]] const std::string& key() const { return key_; }

private:
    explicit RoutePattern(std::string key) : key_(std::move(key)) {}
    std::string key_;
};

/// What a table is made of at once.
struct RouteList {
    struct Route {
        std::string_view key;    // of a RoutePattern; must outlive the call
        std::uint32_t pool = 0;  // an index into `pools`
    };
    std::vector<Pool> pools = {};  // each name and registration once
    std::vector<Route> routes = {};
    std::string default_pool = {};  // for names that have no route; "" for none. The first so named
};

class RouteTable {
public:
    static constexpr std::size_t shard_count = 65536;
    static constexpr std::size_t routes_max = 16'000'000;

    RouteTable();
    RouteTable(const RouteTable&) = delete;
    RouteTable& operator=(const RouteTable&) = delete;
    ~RouteTable();

    // For the writing thread.

    /// Replaces everything at once: a reader sees the old routes or the new ones. already_exists
    /// for a name given twice, not_found for a default pool that is not among the pools,
    /// quota_exceeded beyond routes_max; then nothing is changed.
    [[nodiscard]] Result<> replace(const RouteList& list);
    /// already_exists when the name has a route, whichever pool has it, or when there is a pool of
    /// that name with another address.
    [[nodiscard]] Result<> add(const RoutePattern& pattern, const Pool& pool);
    /// Leads a name to that pool, whether it has a route or not; a reader sees the old or the new.
    /// already_exists when there is a pool of that name and registration with another address.
    [[nodiscard]] Result<> put(const RoutePattern& pattern, const Pool& pool);
    /// not_found when it has no route.
    [[nodiscard]] Result<> remove(const RoutePattern& pattern);
    /// For names that have no route; nothing: none.
    [[nodiscard]] Result<> put_default(const std::optional<Pool>& pool);
    /// The route of exactly that pattern; what is pointed at stays until the next change.
    [[nodiscard]] const Pool* at(const RoutePattern& pattern) const noexcept;

    // For any thread, which needs no reader for it.

    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    /// Memory of the routes, without the pools.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

private:
    friend class RouteReader;
    struct Generation;
    enum class Taken : std::uint8_t { refuse, replace };
    struct KnownPool {
        Pool pool;
        std::size_t routes = 0;
    };
    /// Since which change of the table a reader has been looking; 0 when it is not.
    struct alignas(64) ReaderSlot {
        std::atomic<std::uint64_t> since = 0;
    };
    /// What no reader finds any more, and those may still see who began before that change.
    struct Retired {
        std::uint64_t change = 0;
        RouteShard::Owned shard;
        std::unique_ptr<KnownPool> pool;
        std::unique_ptr<Generation> generation;
    };

    [[nodiscard]] Result<KnownPool*> known(const Pool& pool);
    void forget_if_unused(KnownPool& pool);
    [[nodiscard]] Result<> set(const RoutePattern& pattern, const Pool& pool, Taken taken);
    void put_shard(std::size_t index, RouteShard::Owned shard);
    void retire(Retired retired);

    SipKey key_ = random_sip_key();
    std::atomic<Generation*> current_;
    std::atomic<std::size_t> count_ = 0, bytes_ = 0;  // of what it points at, which may go at once
    std::atomic<std::uint64_t> changes_ = 1;
    std::deque<Retired> retired_;  // oldest first
    std::mutex readers_mutex_;     // of their coming and going alone
    std::vector<std::unique_ptr<ReaderSlot>> readers_;
};

/// One thread's way to look names up.
class RouteReader {
public:
    explicit RouteReader(RouteTable& table);
    RouteReader(const RouteReader&) = delete;
    RouteReader& operator=(const RouteReader&) = delete;
    ~RouteReader();

    /// While it lives, the pools it found stay.
    class Look {
    public:
        explicit Look(RouteReader& reader) noexcept;
        Look(const Look&) = delete;
        Look& operator=(const Look&) = delete;
        ~Look();
        /// The pool of that very name, or else of the longest suffix of it that has one.
        [[nodiscard]] const Pool* find(std::string_view name) const noexcept;
        /// For names that have no route; nullptr when there is none.
        [[nodiscard]] const Pool* default_pool() const noexcept;

    private:
        [[nodiscard]] const Pool* exact(std::string_view key) const noexcept;
        RouteReader& reader_;
        const RouteTable::Generation* generation_;
    };

private:
    RouteTable& table_;
    RouteTable::ReaderSlot* slot_;
};

}  // namespace berth::sentinel
