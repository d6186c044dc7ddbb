// SPDX-License-Identifier: Apache-2.0
// Network interfaces through rtnetlink. Border file of <libmnl/libmnl.h>.
#pragma once

#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace berth::net {

/// Makes a bridge with those addresses and brings it up; one that is there is given them. Its MAC
/// address is set because a bridge left alone takes one of its ports', and each container that
/// comes or goes may then cut the others off until they ask again. An interface of that name that
/// is no bridge is `already_exists`.
[[nodiscard]] Result<> ensure_bridge(const std::string& name, std::string_view ipv4,
                                     int prefix_length, std::string_view mac);

/// Removes an interface; one that is not there is fine.
[[nodiscard]] Result<> delete_link(const std::string& name);

/// The end of a pair of interfaces that a container has.
struct GuestEnd {
    std::string mac;
    std::string ipv4;
    int prefix_length = 0;
    std::string gateway;
};

/// Makes a pair of interfaces: `name` here, a port of the bridge that is confined to the address,
/// and `eth0` in the network namespace of `process`, up, with its address and the route to its
/// gateway; the loopback there is brought up, too. What is made before a failure stays.
[[nodiscard]] Result<> connect_guest(const std::string& name, const std::string& bridge,
                                     const GuestEnd& guest, pid_t process);

/// Holds a port of a bridge to one address, whoever has the other end of the pair: it talks to no
/// other such port directly, and what is sent to the address goes to this port alone, whatever
/// addresses the other ports claim to have.
[[nodiscard]] Result<> confine_link(const std::string& name, const std::string& bridge,
                                    std::string_view mac, const std::string& ipv4);

/// Forgets which MAC address an address has; fine when that is not known.
[[nodiscard]] Result<> forget_neighbour(const std::string& bridge, const std::string& ipv4);

/// Whether the bridge has all the ports that Linux gives one (BR_MAX_PORTS, less the number 0).
[[nodiscard]] bool is_full(const std::string& bridge);

[[nodiscard]] bool link_exists(const std::string& name);

/// The names of all interfaces that start with `prefix`.
[[nodiscard]] std::vector<std::string> links_named(std::string_view prefix);

/// An address of an interface of this machine.
struct LocalSubnet {
    std::string interface;
    std::string ipv4;
    int prefix_length = 0;
};
[[nodiscard]] Result<std::vector<LocalSubnet>> local_subnets();

}  // namespace berth::net
