// SPDX-License-Identifier: Apache-2.0
#include "host/net/firewall.h"

#include "base/subprocess.h"

#include <fmt/format.h>

namespace berth::net {
namespace {

std::string elements(const std::vector<Forward>& forwards) {
    if (forwards.empty()) return "";
    std::string text;
    for (const auto& forward : forwards) {
        text +=
            fmt::format("{}{} . {} : {} . {}", text.empty() ? "" : ",\n      ", forward.protocol,
                        forward.host_port, forward.ipv4, forward.container_port);
    }
    return fmt::format("\n    elements = {{ {} }}", text);
}

// Adding before deleting makes the deletion valid when there is no table yet.
constexpr std::string_view clear = "table inet berth\ndelete table inet berth\n";

}  // namespace

std::string firewall_document(const FirewallSpec& spec) {
    return fmt::format(R"({clear}table inet berth {{
  map {map} {{
    type inet_proto . inet_service : ipv4_addr . inet_service{elements}
  }}
  # route_localnet, which forwards from 127.0.0.1 need, must not open the host's loopback to containers.
  chain guard {{
    type filter hook prerouting priority raw
    iifname "{bridge}" ip daddr 127.0.0.0/8 drop
    iifname "{bridge}" ip saddr != {subnet} drop
  }}
  chain prerouting {{
    type nat hook prerouting priority dstnat
    fib daddr type local meta nfproto ipv4 dnat ip to meta l4proto . th dport map @{map}
  }}
  chain output {{
    type nat hook output priority -100
    fib daddr type local meta nfproto ipv4 dnat ip to meta l4proto . th dport map @{map}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat
    oifname "{bridge}" ip saddr 127.0.0.0/8 masquerade
    iifname "{bridge}" oifname "{bridge}" ct status dnat masquerade
    ip saddr {subnet} oifname != "{bridge}" masquerade
  }}
  # Containers reach forwarded ports of the host, its answers, and nothing else of it.
  chain input {{
    type filter hook input priority filter
    iifname != "{bridge}" accept
    ct state established,related accept
    meta l4proto icmp accept
    reject
  }}
  # One container reaches another only through a port that was forwarded.
  chain forward {{
    type filter hook forward priority filter
    iifname "{bridge}" oifname "{bridge}" ct status dnat accept
    iifname "{bridge}" oifname "{bridge}" reject
  }}
}}
)",
                       fmt::arg("clear", clear), fmt::arg("map", firewall_map),
                       fmt::arg("elements", elements(spec.forwards)),
                       fmt::arg("bridge", spec.bridge), fmt::arg("subnet", spec.subnet));
}

Result<> apply_firewall(const FirewallSpec& spec) {
    (void)BERTH_TRY(run_checked({.argv = {"nft", "-f", "-"}, .input = firewall_document(spec)}));
    return {};
}

Result<> remove_firewall() {
    (void)BERTH_TRY(run_checked({.argv = {"nft", "-f", "-"}, .input = std::string(clear)}));
    return {};
}

}  // namespace berth::net
