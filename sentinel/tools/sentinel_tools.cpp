// SPDX-License-Identifier: Apache-2.0
#include "sentinel/tools/sentinel_tools.h"

#include "tools/tools.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace berth::sentinel {
namespace {

constexpr std::size_t names_told_max = 1'000;

/// Who can call is an administrator.
const Identity everything{.id = "administrator", .pools = {"*"}};

tools::PoolHost host_of(const Registration& registration, const Health& health) {
    const Claim& claim = registration.claim;
    using Kind = tools::PoolHost::Lease;
    tools::PoolHost host{.pool = claim.pool,
                         .host = claim.host,
                         .destination = to_string(claim.destination),
                         .lease = claim.lease == Lease::session ? Kind::session : Kind::ttl,
                         .healthy = health.healthy,
                         .last_heard = to_rfc3339(registration.last_beat)};
    if (!claim.hostname.empty()) host.hostname = claim.hostname;
    if (!health.healthy) host.reason = health.reason;
    return host;
}

tools::PoolHost host_of(const StaticPoolStatus& pool) {
    tools::PoolHost host{.pool = pool.pool,
                         .host = "",
                         .destination = pool.destination,
                         .lease = tools::PoolHost::Lease::e_static,
                         .healthy = pool.health.healthy};
    if (!pool.health.healthy) host.reason = pool.health.reason;
    return host;
}

/// Of one pool, or of all.
std::vector<tools::PoolHost> hosts_of(const Status& status,
                                      const std::optional<std::string>& pool) {
    std::vector<tools::PoolHost> hosts;
    for (const auto& [registration, health] : status.registrations) {
        if (!pool || registration.claim.pool == *pool)
            hosts.push_back(host_of(registration, health));
    }
    for (const auto& one : status.static_pools) {
        if (!pool || one.pool == *pool) hosts.push_back(host_of(one));
    }
    return hosts;
}

std::map<std::string, tools::PoolSummary> pools_of(const Status& status) {
    std::map<std::string, tools::PoolSummary> pools;
    for (const auto& host : hosts_of(status, std::nullopt)) {
        if (host.pool.empty()) continue;
        auto& pool = pools[host.pool];
        ++pool.hosts;
        if (host.healthy) ++pool.healthy;
    }
    for (const auto& [name, owner] : status.names) ++pools[owner].names;
    for (auto& [name, pool] : pools) pool.name = name;
    return pools;
}

void bind_pools(ToolRegistry& registry, StatusSource& status) {
    registry.bind<tools::PoolList>(
        [&status](const auto&, const Call&) -> Result<tools::PoolList::Output> {
            tools::PoolList::Output out;
            for (auto& [name, pool] : pools_of(status.look(everything))) out.pools.push_back(pool);
            return out;
        });
    registry.bind<tools::PoolGet>(
        [&status](const auto& in, const Call&) -> Result<tools::PoolGet::Output> {
            const Status now = status.look(everything);
            if (!pools_of(now).contains(in.pool)) {
                return fail(make_error(ErrorCode::not_found,
                                       fmt::format("there is no pool \"{}\"", in.pool))
                                .at("/pool")
                                .call("pool_list", Json::object()));
            }
            tools::PoolGet::Output out;
            out.name = in.pool;
            out.hosts = hosts_of(now, in.pool);
            for (const auto& [name, owner] : now.names) {
                if (owner == in.pool && out.names.size() < names_told_max)
                    out.names.push_back(name);
            }
            return out;
        });
    registry.bind<tools::HostList>(
        [&status](const auto& in, const Call&) -> Result<tools::HostList::Output> {
            return tools::HostList::Output{.hosts = hosts_of(status.look(everything), in.pool)};
        });
}

void bind_tokens(ToolRegistry& registry, TokenPolicy& policy) {
    registry.bind<tools::TokenCreate>(
        [&policy](const auto& in, const Call&) -> Result<tools::TokenCreate::Output> {
            auto token = BERTH_TRY(policy.create(in.id, in.pools));
            return tools::TokenCreate::Output{
                .id = in.id, .pools = in.pools, .token = std::move(token)};
        },
        [&policy](const auto& in, const Call&) -> Result<Preview> {
            BERTH_TRY(policy.check_new(in.id, in.pools));
            return Preview{
                .would = fmt::format("make a token '{}' for {}", in.id, fmt::join(in.pools, ", "))};
        });
    registry.bind<tools::TokenRevoke>(
        [&policy](const auto& in, const Call&) -> Result<tools::TokenRevoke::Output> {
            const Credential token = BERTH_TRY(policy.get(in.id));
            BERTH_TRY(policy.revoke(in.id));
            return tools::TokenRevoke::Output{.id = in.id, .pools = token.pools};
        },
        [&policy](const auto& in, const Call&) -> Result<Preview> {
            const Credential token = BERTH_TRY(policy.get(in.id));
            return Preview{.would = fmt::format("revoke the token '{}' for {}", in.id,
                                                fmt::join(token.pools, ", ")),
                           .target = Json{{"id", token.id}, {"pools", token.pools}}};
        });
}

}  // namespace

void bind_sentinel_tools(ToolRegistry& registry, StatusSource& status, TokenPolicy& policy) {
    bind_pools(registry, status);
    bind_tokens(registry, policy);
}

}  // namespace berth::sentinel
