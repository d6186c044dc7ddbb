// SPDX-License-Identifier: Apache-2.0
#include "base/socket_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace berth {
namespace {

constexpr std::string_view mapped_prefix{"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12};

/// A whole decimal number without sign or spaces, up to `most`.
std::optional<unsigned> decimal(std::string_view text, unsigned most) {
    unsigned value = 0;
    const auto* const end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, value);
    if (problem != std::errc() || stop != end || text.empty() || value > most) return std::nullopt;
    return value;
}

std::optional<SocketAddress> read_ip(std::string_view text, bool v6, std::uint16_t port) {
    std::array<char, 16> bytes{};
    const int family = v6 ? AF_INET6 : AF_INET;
    if (::inet_pton(family, std::string(text).c_str(), bytes.data()) != 1) return std::nullopt;
    return SocketAddress::of({bytes.data(), v6 ? 16U : 4U}, port);
}

/// The address as bits of one width, so that a network of either family can be compared.
bool same_prefix(std::string_view one, std::string_view other, unsigned bits) {
    const unsigned whole = bits / 8;
    if (one.substr(0, whole) != other.substr(0, whole)) return false;
    if (bits % 8 == 0) return true;
    const auto difference = static_cast<std::uint8_t>(one[whole] ^ other[whole]);
    return difference >> (8 - bits % 8) == 0;
}

}  // namespace

SocketAddress SocketAddress::of(std::string_view ip, std::uint16_t port) {
    if (ip.size() == 16 && ip.starts_with(mapped_prefix)) ip.remove_prefix(mapped_prefix.size());
    SocketAddress address;
    std::ranges::copy(ip, address.ip_.begin());
    address.ip_bytes_ = static_cast<std::uint8_t>(ip.size());
    address.port_ = port;
    return address;
}

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
    const auto colon = text.rfind(':');
    std::optional<SocketAddress> address;
    if (colon != std::string_view::npos) {
        std::string_view host = text.substr(0, colon);
        const bool v6 = host.size() > 2 && host.front() == '[' && host.back() == ']';
        if (v6) host = host.substr(1, host.size() - 2);
        const auto port = decimal(text.substr(colon + 1), 65535);
        if (port) address = read_ip(host, v6, static_cast<std::uint16_t>(*port));
    }
    if (address) return *address;
    return fail(make_error(ErrorCode::invalid_argument,
                           fmt::format("\"{}\" is no address with a port", text))
                    .next("write it in numbers, as in \"192.0.2.1:443\" or \"[2001:db8::1]:443\""));
}

std::optional<SocketAddress> SocketAddress::of(const KernelAddress& address) {
    if (address.storage.ss_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address.storage, sizeof v4);
        return of({reinterpret_cast<const char*>(&v4.sin_addr), 4}, ntohs(v4.sin_port));
    }
    if (address.storage.ss_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address.storage, sizeof v6);
        return of({reinterpret_cast<const char*>(&v6.sin6_addr), 16}, ntohs(v6.sin6_port));
    }
    return std::nullopt;
}

KernelAddress SocketAddress::to_kernel() const {
    KernelAddress address;
    if (is_v6()) {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port_);
        std::memcpy(&v6.sin6_addr, ip_.data(), 16);
        std::memcpy(&address.storage, &v6, sizeof v6);
        address.size = sizeof v6;
    } else {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port_);
        std::memcpy(&v4.sin_addr, ip_.data(), 4);
        std::memcpy(&address.storage, &v4, sizeof v4);
        address.size = sizeof v4;
    }
    return address;
}

std::string SocketAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    (void)::inet_ntop(is_v6() ? AF_INET6 : AF_INET, ip_.data(), text.data(), text.size());
    return is_v6() ? fmt::format("[{}]:{}", text.data(), port_)
                   : fmt::format("{}:{}", text.data(), port_);
}

Result<IpNetwork> IpNetwork::parse(std::string_view text) {
    const auto slash = text.find('/');
    const std::string_view ip = text.substr(0, slash);
    const auto base = read_ip(ip, ip.contains(':'), 0);
    IpNetwork network;
    if (slash != std::string_view::npos && base) {
        const auto width = static_cast<unsigned>(base->ip().size() * 8);
        const auto bits = decimal(text.substr(slash + 1), width);
        if (bits) {
            network.base_ = *base;
            network.prefix_bits_ = *bits;
            // Behind the prefix all is zero when clearing it changes nothing.
            std::string cleared(base->ip());
            for (unsigned bit = *bits; bit < width; ++bit) {
                auto& byte = cleared[bit / 8];
                byte = static_cast<char>(static_cast<std::uint8_t>(byte) & ~(0x80U >> bit % 8));
            }
            if (cleared == base->ip()) return network;
        }
    }
    return fail(make_error(ErrorCode::invalid_argument, fmt::format("\"{}\" is no network", text))
                    .next("write its first address and a prefix length, as in \"192.0.2.0/24\""));
}

bool IpNetwork::contains(const SocketAddress& address) const {
    return address.is_v6() == base_.is_v6() && same_prefix(address.ip(), base_.ip(), prefix_bits_);
}

}  // namespace berth
