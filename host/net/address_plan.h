// SPDX-License-Identifier: Apache-2.0
// Which address, uid range and SSH port belong to a slot. One number, given out once, decides all
// three, so none of them can collide alone. Pure arithmetic.
#pragma once

#include "tools-schema/contract/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace berth::net {

/// An IPv4 network, "10.86.0.0/16".
class Subnet {
public:
    /// From /8 to /28; the host bits must be zero.
    [[nodiscard]] static Result<Subnet> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] int prefix_length() const { return prefix_length_; }
    /// The first address: the bridge's own.
    [[nodiscard]] std::string gateway() const { return address(1); }
    /// The address at that offset from the network's own.
    [[nodiscard]] std::string address(std::int64_t offset) const;
    [[nodiscard]] std::int64_t size() const { return std::int64_t{1} << (32 - prefix_length_); }
    /// Whether any address is in both this network and the one around `ipv4`.
    [[nodiscard]] bool overlaps(std::string_view ipv4, int prefix_length) const;

private:
    Subnet(std::uint32_t network, int prefix_length)
        : network_(network), prefix_length_(prefix_length) {}
    std::uint32_t network_;
    int prefix_length_;
};

/// "20000-29999", inclusive.
struct PortRange {
    std::int64_t first = 0;
    std::int64_t last = 0;
    [[nodiscard]] static Result<PortRange> parse(std::string_view text);
    [[nodiscard]] std::int64_t size() const { return last - first + 1; }
};

class AddressPlan {
public:
    AddressPlan(Subnet subnet, PortRange ssh_ports, std::int64_t uid_base)
        : subnet_(subnet), ssh_ports_(ssh_ports), uid_base_(uid_base) {}

    /// How many containers there is room for: the scarcest of addresses, SSH ports and uids
    /// decides.
    [[nodiscard]] std::int64_t slots() const;
    [[nodiscard]] std::string ipv4(std::int64_t slot) const;
    [[nodiscard]] std::int64_t ssh_port(std::int64_t slot) const { return ssh_ports_.first + slot; }
    [[nodiscard]] std::int64_t uid_base(std::int64_t slot) const;
    [[nodiscard]] const Subnet& subnet() const { return subnet_; }

private:
    Subnet subnet_;
    PortRange ssh_ports_;
    std::int64_t uid_base_;
};

/// A locally administered MAC address that only depends on the IPv4 address: whoever gets the
/// address next has the same, and no neighbour's cache goes stale.
[[nodiscard]] std::string mac_of(std::string_view ipv4);

}  // namespace berth::net
