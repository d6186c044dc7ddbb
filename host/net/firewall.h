// SPDX-License-Identifier: Apache-2.0
// Our own nftables table: NAT for containers, port forwards, and what containers may not reach. The
// whole table is one document made from desired state and replaced in one transaction, so rules of
// others are never touched and a crash leaves the old table or the new.
//
// The document is nftables' own syntax and not its JSON: nft 1.0.6 (Debian 12) cannot read a map to
// "address . port" in JSON, not even one that it wrote itself.
#pragma once

#include "tools-schema/contract/result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace berth::net {

// What nft_elements changes single forwards of.
inline constexpr const char* firewall_table = "berth";
inline constexpr const char* firewall_map = "forwards";

struct Forward {
    std::string protocol;  // "tcp" or "udp"
    std::int64_t host_port = 0;
    std::string ipv4;
    std::int64_t container_port = 0;
};

struct FirewallSpec {
    std::string bridge;
    std::string subnet;  // "10.86.0.0/16"
    std::vector<Forward> forwards;
};

/// The document that replaces the table. Values in, text out.
[[nodiscard]] std::string firewall_document(const FirewallSpec& spec);

/// Puts the table in place; unavailable with nft's complaint when the kernel refuses it, and then
/// the table is what it was.
[[nodiscard]] Result<> apply_firewall(const FirewallSpec& spec);

/// Removes the table; fine when there is none.
[[nodiscard]] Result<> remove_firewall();

}  // namespace berth::net
