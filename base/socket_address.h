// SPDX-License-Identifier: Apache-2.0
// Internet addresses with a port, and networks of them, as values. Numbers only: nothing here asks
// a name server.
#pragma once

#include "tools-schema/contract/result.h"

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

/// An address in the form that system calls take.
struct KernelAddress {
    sockaddr_storage storage = {};
    socklen_t size = sizeof(sockaddr_storage);
    [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
    [[nodiscard]] const sockaddr* get() const {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
};

/// An IPv4 or IPv6 address with a port. An IPv4 address mapped into IPv6 is the IPv4 address.
class SocketAddress {
public:
    /// 0.0.0.0:0
    SocketAddress() = default;
    /// "192.0.2.1:443" or "[2001:db8::1]:443"; invalid_argument for anything else.
    [[nodiscard]] static Result<SocketAddress> parse(std::string_view text);
    /// Nothing when it is of another family.
    [[nodiscard]] static std::optional<SocketAddress> of(const KernelAddress& address);
    /// `ip` has 4 or 16 bytes, in network order.
    [[nodiscard]] static SocketAddress of(std::string_view ip, std::uint16_t port);

    [[nodiscard]] KernelAddress to_kernel() const;
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] bool is_v6() const { return ip_bytes_ == 16; }
    /// 4 or 16 bytes, in network order.
    [[nodiscard]] std::string_view ip() const {
        return {reinterpret_cast<const char*>(ip_.data()), ip_bytes_};
    }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    auto operator<=>(const SocketAddress&) const = default;

private:
    std::array<std::uint8_t, 16> ip_ = {};
    std::uint8_t ip_bytes_ = 4;
    std::uint16_t port_ = 0;
};

/// All addresses that begin with the same bits.
class IpNetwork {
public:
    /// "192.0.2.0/24" or "2001:db8::/32", with no bit set behind the prefix.
    [[nodiscard]] static Result<IpNetwork> parse(std::string_view text);
    [[nodiscard]] bool contains(const SocketAddress& address) const;

private:
    SocketAddress base_;
    unsigned prefix_bits_ = 0;
};

}  // namespace berth
