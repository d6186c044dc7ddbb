// SPDX-License-Identifier: Apache-2.0
#include "host/net/address_plan.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace berth::net {
namespace {

constexpr int prefix_min = 8, prefix_max = 28;
constexpr std::int64_t first_slot_offset = 2;   // after the network's own address and the gateway's
constexpr std::int64_t reserved_addresses = 3;  // those two, and the broadcast address
constexpr std::int64_t ids_per_slot = 65536;
constexpr std::int64_t uid_end = 4'294'967'294;  // the last two uids mean "nobody" and "no change"
constexpr std::int64_t port_max = 65535;

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty()
               ? std::optional(value)
               : std::nullopt;
}

std::optional<std::uint32_t> to_number(std::string_view ipv4) {
    in_addr address{};
    if (::inet_pton(AF_INET, std::string(ipv4).c_str(), &address) != 1) return std::nullopt;
    return ntohl(address.s_addr);
}

}  // namespace

Result<Subnet> Subnet::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto network = to_number(text.substr(0, slash));
    const auto prefix =
        slash == std::string_view::npos ? std::nullopt : number(text.substr(slash + 1));
    if (!network || !prefix || *prefix < prefix_min || *prefix > prefix_max) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{}' is no IPv4 network from /{} to /{}, such as 10.86.0.0/16",
                                text, prefix_min, prefix_max));
    }
    const Subnet subnet(*network, static_cast<int>(*prefix));
    if (*network % static_cast<std::uint32_t>(subnet.size()) != 0)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{}' has host bits that are not zero", text));
    return subnet;
}

std::string Subnet::address(std::int64_t offset) const {
    const in_addr address{.s_addr = htonl(network_ + static_cast<std::uint32_t>(offset))};
    std::array<char, INET_ADDRSTRLEN> text{};
    (void)::inet_ntop(AF_INET, &address, text.data(), text.size());
    return text.data();
}

std::string Subnet::to_string() const {
    return fmt::format("{}/{}", address(0), prefix_length_);
}

bool Subnet::overlaps(std::string_view ipv4, int prefix_length) const {
    const auto other = to_number(ipv4);
    const int shared_bits = std::min(prefix_length_, prefix_length);
    return other &&
           std::uint64_t{*other ^ network_} >> static_cast<unsigned>(32 - shared_bits) == 0;
}

Result<PortRange> PortRange::parse(std::string_view text) {
    const auto dash = text.find('-');
    const auto first = number(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? std::nullopt : number(text.substr(dash + 1));
    if (!first || !last || *first < 1 || *last > port_max || *first > *last) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{}' is no port range, such as 20000-29999", text));
    }
    return PortRange{.first = *first, .last = *last};
}

std::int64_t AddressPlan::slots() const {
    const std::int64_t uid_ranges = (uid_end - uid_base_) / ids_per_slot;
    return std::min({subnet_.size() - reserved_addresses, ssh_ports_.size(), uid_ranges});
}

std::string AddressPlan::ipv4(std::int64_t slot) const {
    return subnet_.address(first_slot_offset + slot);
}

std::int64_t AddressPlan::uid_base(std::int64_t slot) const {
    return uid_base_ + slot * ids_per_slot;
}

std::string mac_of(std::string_view ipv4) {
    const std::uint32_t number = to_number(ipv4).value_or(0);
    return fmt::format("02:be:{:02x}:{:02x}:{:02x}:{:02x}", number >> 24U, number >> 16U & 0xffU,
                       number >> 8U & 0xffU, number & 0xffU);
}

}  // namespace berth::net
