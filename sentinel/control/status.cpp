// SPDX-License-Identifier: Apache-2.0
#include "sentinel/control/status.h"

#include <fmt/format.h>

#include <map>
#include <tuple>

namespace berth::sentinel {
namespace {

/// Rows of a page beyond this are counted and not shown: the JSON has all.
constexpr std::size_t rows_max = 1'000;

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '&':
                out += "&amp;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

class Table {
public:
    Table(std::string_view title, std::initializer_list<std::string_view> columns) {
        text_ = fmt::format("<h2>{}</h2>\n<table>\n<tr>", title);
        for (const auto column : columns) text_ += fmt::format("<th>{}</th>", column);
        text_ += "</tr>\n";
    }
    void row(std::initializer_list<std::string> cells) {
        if (++rows_ > rows_max) return;
        text_ += "<tr>";
        for (const auto& cell : cells) text_ += fmt::format("<td>{}</td>", escaped(cell));
        text_ += "</tr>\n";
    }
    [[nodiscard]] std::string end() const {
        if (rows_ <= rows_max) return text_ + "</table>\n";
        return text_ + fmt::format("</table>\n<p>and {} more</p>\n", rows_ - rows_max);
    }

private:
    std::string text_;
    std::size_t rows_ = 0;
};

std::string lease_name(Lease lease) {
    return lease == Lease::session ? "session" : "ttl";
}

/// As a label's value (exposition formats of Prometheus).
std::string label(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

class Metrics {
public:
    void begin(std::string_view name, std::string_view type, std::string_view help) {
        name_ = fmt::format("berth_sentinel_{}", name);
        text_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name_, help, type);
    }
    void value(std::uint64_t value, std::string_view labels = "") {
        text_ += labels.empty() ? fmt::format("{} {}\n", name_, value)
                                : fmt::format("{}{{{}}} {}\n", name_, labels, value);
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    std::string name_, text_;
};

Json tunnelling_json(const TunnelFigures& figures) {
    Json hellos = Json::object();
    for (const auto& [outcome, count] : figures.hellos) hellos[std::string(outcome)] = count;
    return Json{{"sessions", figures.sessions},
                {"streams_open", figures.streams_open},
                {"streams_total", figures.streams},
                {"bytes_from_clients", figures.bytes_from_clients},
                {"bytes_to_clients", figures.bytes_to_clients},
                {"takeovers", figures.takeovers},
                {"hellos", std::move(hellos)}};
}

Json static_pools_json(const Status& status) {
    Json pools = Json::array();
    for (const auto& [pool, destination, health] : status.static_pools) {
        Json one{{"pool", pool}, {"destination", destination}, {"healthy", health.healthy}};
        if (!health.healthy) one["reason"] = health.reason;
        pools.push_back(std::move(one));
    }
    return pools;
}

std::string static_pools_table(const Status& status) {
    Table pools("Pools of the file of routes", {"pool", "where", "state"});
    for (const auto& [pool, destination, health] : status.static_pools) {
        pools.row({pool, destination, health.healthy ? "healthy" : health.reason});
    }
    if (status.static_unwatched == 0) return pools.end();
    return pools.end() + fmt::format("<p>{} more are not watched</p>\n", status.static_unwatched);
}

void add_static_pools(Metrics& out, const Status& status) {
    out.begin("static_pool_healthy", "gauge",
              "Whether clients can connect to a pool of the file of routes.");
    for (const auto& [pool, destination, health] : status.static_pools) {
        out.value(health.healthy ? 1 : 0, fmt::format("pool=\"{}\"", label(pool)));
    }
    out.begin("static_pools_unwatched", "gauge", "Pools of the file of routes beyond those.");
    out.value(status.static_unwatched);
}

std::string tunnelling_table(const TunnelFigures& figures) {
    Table counts("Tunnels", {"what", "number"});
    counts.row({"sessions", std::to_string(figures.sessions)});
    counts.row({"streams open", std::to_string(figures.streams_open)});
    counts.row({"streams since the start", std::to_string(figures.streams)});
    counts.row({"bytes from clients", std::to_string(figures.bytes_from_clients)});
    counts.row({"bytes to clients", std::to_string(figures.bytes_to_clients)});
    counts.row({"taken over", std::to_string(figures.takeovers)});
    for (const auto& [outcome, count] : figures.hellos) {
        counts.row({fmt::format("hellos: {}", outcome), std::to_string(count)});
    }
    return counts.end();
}

void add_tunnelling(Metrics& out, const TunnelFigures& figures) {
    out.begin("tunnel_sessions", "gauge",
              "Sessions of tunnels, with those that are being relieved.");
    out.value(figures.sessions);
    out.begin("tunnel_streams_open", "gauge", "Clients that are carried through tunnels now.");
    out.value(figures.streams_open);
    out.begin("tunnel_streams_total", "counter", "Clients that were carried through tunnels.");
    out.value(figures.streams);
    out.begin("tunnel_bytes_total", "counter", "Bytes carried through tunnels.");
    out.value(figures.bytes_from_clients, "direction=\"from_client\"");
    out.value(figures.bytes_to_clients, "direction=\"to_client\"");
    out.begin("tunnel_takeovers_total", "counter",
              "Sessions that another of the same host relieved.");
    out.value(figures.takeovers);
    out.begin("tunnel_hellos_total", "counter", "What became of hosts that came to open a tunnel.");
    for (const auto& [outcome, count] : figures.hellos) {
        out.value(count, fmt::format("outcome=\"{}\"", outcome));
    }
}

}  // namespace

Json status_json(const Status& status) {
    Json hosts = Json::array();
    for (const auto& [registration, health] : status.registrations) {
        Json one = primary_json(registration, health, Dialect::berth);
        one["destination"] = to_string(registration.claim.destination);
        hosts.push_back(std::move(one));
    }
    Json names = Json::array();
    for (const auto& [name, pool] : status.names) {
        names.push_back(Json{{"name", name}, {"pool", pool}});
    }
    Json out{{"version", status.version},
             {"started_at", status.started_at},
             {"hosts", std::move(hosts)},
             {"names", std::move(names)},
             {"static_pools", static_pools_json(status)}};
    if (!status.complete) return out;
    Json warnings = Json::array();
    for (const auto& one : status.warnings) {
        warnings.push_back(Json{{"type", one.type},
                                {"entity", one.entity},
                                {"message", one.message},
                                {"count", one.count},
                                {"first_at", one.first_at},
                                {"last_at", one.last_at}});
    }
    Json outcomes = Json::object();
    for (const auto& [name, count] : status.outcomes) outcomes[name] = count;
    out["warnings"] = std::move(warnings);
    out["connections"] = Json{{"open", status.open},
                              {"outcomes", std::move(outcomes)},
                              {"bytes_from_clients", status.bytes_from_clients},
                              {"bytes_to_clients", status.bytes_to_clients}};
    out["access_log"] =
        Json{{"written", status.access_written}, {"dropped", status.access_dropped}};
    out["routes"] = status.routes;
    out["static_pools_unwatched"] = status.static_unwatched;
    out["tunnels"] = status.tunnels;
    if (status.tunnelling) out["tunnelling"] = tunnelling_json(*status.tunnelling);
    return out;
}

std::string status_page(const Status& status) {
    Table hosts("Hosts", {"pool", "host", "name", "where", "lease", "state", "last heard of"});
    for (const auto& [registration, health] : status.registrations) {
        const Claim& claim = registration.claim;
        hosts.row({claim.pool, claim.host, claim.hostname, to_string(claim.destination),
                   lease_name(claim.lease), health.healthy ? "healthy" : health.reason,
                   to_rfc3339(registration.last_beat)});
    }
    Table names("Names", {"name", "pool"});
    for (const auto& [name, pool] : status.names) names.row({name, pool});
    std::string rest;
    if (!status.static_pools.empty()) rest = static_pools_table(status);
    if (status.complete) {
        Table warnings("Warnings", {"since", "last", "times", "what"});
        for (const auto& one : status.warnings) {
            warnings.row({one.first_at, one.last_at, std::to_string(one.count), one.message});
        }
        Table counts("Connections", {"what", "number"});
        counts.row({"open", std::to_string(status.open)});
        for (const auto& [name, count] : status.outcomes) counts.row({name, std::to_string(count)});
        counts.row({"bytes from clients", std::to_string(status.bytes_from_clients)});
        counts.row({"bytes to clients", std::to_string(status.bytes_to_clients)});
        rest += warnings.end() + counts.end();
        if (status.tunnelling) rest += tunnelling_table(*status.tunnelling);
    }
    return fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<title>berth-sentinel</title><style>body{{font:15px sans-serif;margin:2em}}"
        "table{{border-collapse:collapse}}td,th{{border:1px solid #bbb;padding:.2em .6em;"
        "text-align:left}}</style></head>\n<body><h1>berth-sentinel</h1>\n"
        "<p>{} since {}</p>\n{}{}{}</body></html>\n",
        escaped(status.version), escaped(status.started_at), hosts.end(), names.end(), rest);
}

std::string status_metrics(const Status& status) {
    Metrics out;
    out.begin("connections_open", "gauge", "Connections that are carried now.");
    out.value(status.open);
    out.begin("connections_total", "counter", "What became of connections.");
    for (const auto& [name, count] : status.outcomes) {
        out.value(count, fmt::format("outcome=\"{}\"", name));
    }
    out.begin("bytes_total", "counter", "Bytes carried.");
    out.value(status.bytes_from_clients, "direction=\"from_client\"");
    out.value(status.bytes_to_clients, "direction=\"to_client\"");
    out.begin("access_log_lines_total", "counter", "Lines for the access log.");
    out.value(status.access_written, "outcome=\"written\"");
    out.value(status.access_dropped, "outcome=\"dropped\"");
    out.begin("routes", "gauge", "Names in the route table.");
    out.value(status.routes);
    out.begin("tunnels", "gauge", "Tunnels that are open.");
    out.value(status.tunnels);
    if (status.tunnelling) add_tunnelling(out, *status.tunnelling);
    out.begin("warnings", "gauge", "Warnings that are not over.");
    out.value(status.warnings.size());
    std::map<std::pair<std::string, std::string>, std::uint64_t> registered;
    for (const auto& [one, health] : status.registrations) {
        ++registered[{one.claim.pool, lease_name(one.claim.lease)}];
    }
    out.begin("registrations", "gauge", "Hosts that are registered.");
    for (const auto& [key, count] : registered) {
        out.value(count, fmt::format("pool=\"{}\",lease=\"{}\"", label(key.first), key.second));
    }
    out.begin("host_healthy", "gauge", "Whether the data path of a registered host answers.");
    for (const auto& [one, health] : status.registrations) {
        out.value(
            health.healthy ? 1 : 0,
            fmt::format("pool=\"{}\",host=\"{}\"", label(one.claim.pool), label(one.claim.host)));
    }
    add_static_pools(out, status);
    return out.take();
}

}  // namespace berth::sentinel
