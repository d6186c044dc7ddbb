// SPDX-License-Identifier: Apache-2.0
#include "sentinel/registry/claim_json.h"

#include "tools-schema/contract/decode.h"

#include <fmt/format.h>

#include <limits>

namespace berth::sentinel {
namespace {

constexpr std::size_t text_bytes_max = 255;
constexpr std::string_view ttl_host = "primary";  // over HTTP a pool has one

unsigned char byte_of(std::string_view ip, std::size_t at) {
    return static_cast<unsigned char>(ip[at]);
}

/// Loopback: this very machine.
bool is_local(const SocketAddress& address) {
    const auto ip = address.ip();
    if (!address.is_v6()) return byte_of(ip, 0) == 127;
    return ip.substr(0, 15).find_first_not_of('\0') == ip.npos && byte_of(ip, 15) == 1;
}

/// No address of another machine: loopback, unspecified, link-local, multicast, reserved.
bool is_special(const SocketAddress& address) {
    const auto ip = address.ip();
    if (address.is_v6()) {
        const bool zeros = ip.substr(0, 15).find_first_not_of('\0') == ip.npos;
        const bool link_local = byte_of(ip, 0) == 0xfe && (byte_of(ip, 1) & 0xc0U) == 0x80;
        return zeros || link_local || byte_of(ip, 0) == 0xff;
    }
    const auto first = byte_of(ip, 0);
    return first == 0 || first == 127 || (first == 169 && byte_of(ip, 1) == 254) || first >= 224;
}

Result<SocketAddress> place_of(const std::optional<std::string>& ip, std::int64_t port,
                               const std::optional<SocketAddress>& source) {
    const auto wrong = [](const char* field, std::string why) {
        return fail(make_error(ErrorCode::invalid_argument, std::move(why)).at(field));
    };
    const auto number = static_cast<std::uint16_t>(port);
    if (!ip || ip->empty()) {
        if (source) return SocketAddress::of(source->ip(), number);
        return wrong("/ip", "is needed: a unix socket does not say where the primary is");
    }
    const auto address = SocketAddress::parse(ip->contains(':') ? fmt::format("[{}]:{}", *ip, port)
                                                                : fmt::format("{}:{}", *ip, port));
    if (!address) return wrong("/ip", fmt::format("\"{}\" is no IP address", *ip));
    if (is_special(*address) && source && !is_local(*source)) {
        return wrong("/ip", fmt::format("{} is no address of your machine to others", *ip));
    }
    return *address;
}

}  // namespace

Result<Claim> parse_claim(std::string_view body, const std::optional<SocketAddress>& source) {
    const Json document = BERTH_TRY(parse_json(body));
    Problems problems;
    ObjectReader reader(
        document, "",
        {"pool", "hostname", "aliases", "base_domains", "ip", "port", "backend_id", "generation"},
        problems);
    constexpr Bounds text{.length_max = text_bytes_max};
    constexpr Bounds list{.length_max = names_per_claim_max};
    const auto pool =
        reader.required<std::string>("pool", {.length_min = 1, .length_max = text_bytes_max});
    const auto hostname =
        reader.required<std::string>("hostname", {.length_min = 1, .length_max = text_bytes_max});
    const auto aliases = reader.optional_list<std::string>("aliases", list, text);
    const auto bases = reader.optional_list<std::string>("base_domains", list, text);
    const auto ip = reader.optional<std::string>("ip", text);
    const auto port = reader.required<std::int64_t>("port", {.minimum = 1, .maximum = 65535});
    const auto backend = reader.optional<std::string>("backend_id", text);
    const auto generation = reader.optional<std::int64_t>(
        "generation", {.minimum = 0, .maximum = std::numeric_limits<std::int64_t>::max()});
    if (!problems.empty()) return fail(problems.error());
    const auto place = BERTH_TRY(place_of(ip, *port, source));
    return Claim{.pool = *pool,
                 .host = std::string(ttl_host),
                 .hostname = *hostname,
                 .aliases = aliases.value_or(std::vector<std::string>{}),
                 .base_domains = bases.value_or(std::vector<std::string>{}),
                 .destination = place,
                 .ports = {place.port()},
                 .lease = Lease::ttl,
                 .generation = static_cast<std::uint64_t>(generation.value_or(0)),
                 .backend_id = backend.value_or("")};
}

Json primary_json(const Registration& registration, const Health& health, Dialect dialect) {
    const Claim& claim = registration.claim;
    Json out{{"pool", claim.pool}, {"hostname", claim.hostname}};
    if (!claim.aliases.empty()) out["aliases"] = claim.aliases;
    const bool ours = dialect == Dialect::berth;
    if (ours && !claim.base_domains.empty()) out["base_domains"] = claim.base_domains;
    if (const auto* address = std::get_if<SocketAddress>(&claim.destination)) {
        const std::string text = address->to_string();
        const std::string host = text.substr(0, text.rfind(':'));
        out["ip"] = address->is_v6() ? host.substr(1, host.size() - 2) : host;
        out["port"] = address->port();
    } else if (const auto* tunnel = std::get_if<TunnelPort>(&claim.destination)) {
        // An old client wants some address; nothing listens at this one.
        if (!ours) out["ip"] = "127.0.0.1";
        out["port"] = tunnel->port;
    }
    const bool session = claim.lease == Lease::session;
    if (!claim.backend_id.empty() || session) {
        out["backend_id"] = session ? "tunnel-" + claim.host : claim.backend_id;
    }
    out["registered_at"] = to_rfc3339(registration.registered_at);
    out["last_heartbeat"] = to_rfc3339(registration.last_beat);
    if (!ours) return out;
    out["host"] = claim.host;
    out["lease"] = session ? "session" : "ttl";
    out["generation"] = claim.generation;
    out["healthy"] = health.healthy;
    if (!health.healthy) out["reason"] = health.reason;
    return out;
}

Json peer_json(const Registration& registration, const Health& health, Dialect dialect) {
    const Claim& claim = registration.claim;
    const std::string id = "tunnel-" + claim.host;
    Json out{{"id", id}};
    if (dialect == Dialect::containarium) out["proxy_path"] = "/peer/" + id;
    out["healthy"] = health.healthy;
    if (!claim.pool.empty()) out["pool"] = claim.pool;
    if (dialect == Dialect::containarium) return out;
    out["host"] = claim.host;
    out["ports"] = claim.ports;
    out["generation"] = claim.generation;
    if (!health.healthy) out["reason"] = health.reason;
    return out;
}

}  // namespace berth::sentinel
