// SPDX-License-Identifier: Apache-2.0
// A registry with a clock that stands, and the means to look at what it routes.
#pragma once

#include "sentinel/registry/members.h"
#include "sentinel/registry/schema.h"
#include "sentinel/registry/token_policy.h"
#include "tests/support/temporary_directory.h"

#include <memory>
#include <string>
#include <vector>

namespace berth::sentinel {

class FakeClock final : public Clock {
public:
    [[nodiscard]] std::chrono::system_clock::time_point wall() const override { return wall_; }
    [[nodiscard]] std::chrono::steady_clock::time_point steady() const override { return steady_; }
    void advance(std::chrono::milliseconds by) {
        wall_ += by;
        steady_ += by;
    }
    /// As an administrator does who sets the machine's clock.
    void set_back(std::chrono::seconds by) { wall_ -= by; }

private:
    std::chrono::system_clock::time_point wall_{std::chrono::seconds(1'790'000'000)};
    std::chrono::steady_clock::time_point steady_{std::chrono::seconds(1'000)};
};

struct Desk {
    explicit Desk(PoolSettings wanted = {}) : settings(std::move(wanted)) { open(); }

    void open() {
        database = open_registry(directory.path() / "sentinel.db").value();
        warnings = std::make_unique<Warnings>(*database, clock);
        table = std::make_unique<RouteTable>();
        members = Members::open(*database, *table, *warnings, clock, settings).value();
        policy = TokenPolicy::open(*database, clock).value();
    }
    /// What a kill -9 and a start do: everything in memory is gone.
    void restart() {
        policy.reset();
        members.reset();
        table.reset();
        warnings.reset();
        database.reset();
        open();
    }
    /// Where a name leads: "pool at ADDRESS", "pool nowhere", or "" when it is not known.
    [[nodiscard]] std::string where(std::string_view name) const {
        RouteReader reader(*table);
        const RouteReader::Look look(reader);
        const Pool* pool = look.find(name);
        if (pool == nullptr) pool = look.default_pool();
        return pool == nullptr ? "" : pool->name + " at " + to_string(pool->primary);
    }
    [[nodiscard]] std::vector<std::string> warned() const {
        std::vector<std::string> all;
        const auto listed = warnings->list().value();
        for (const auto& one : listed) all.push_back(one.type + " " + one.entity);
        return all;
    }

    TemporaryDirectory directory;
    FakeClock clock;
    PoolSettings settings;
    std::unique_ptr<store::Sqlite> database;
    std::unique_ptr<Warnings> warnings;
    std::unique_ptr<RouteTable> table;
    std::unique_ptr<Members> members;
    std::unique_ptr<TokenPolicy> policy;
};

inline Claim claim(std::string pool, std::string hostname, std::string address = "127.0.0.1:1001") {
    return {.pool = std::move(pool),
            .host = "primary",
            .hostname = std::move(hostname),
            .destination = SocketAddress::parse(address).value(),
            .identity = "token:test"};
}

}  // namespace berth::sentinel
