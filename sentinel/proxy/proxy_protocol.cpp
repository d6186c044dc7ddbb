// SPDX-License-Identifier: Apache-2.0
#include "sentinel/proxy/proxy_protocol.h"

#include "base/byte_reader.h"
#include "sentinel/proxy/crc32c.h"

#include <algorithm>
#include <array>
#include <optional>

namespace berth::sentinel {
namespace {

constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t fixed_bytes = 16;  // the signature, version and command, family, length
constexpr std::size_t length_at = 14;
constexpr char version_local = 0x20;
constexpr char version_proxy = 0x21;
constexpr char tcp_over_ipv4 = 0x11;
constexpr char tcp_over_ipv6 = 0x21;
constexpr char type_authority = 0x02;
constexpr char type_crc32c = 0x03;
constexpr std::size_t crc_bytes = 4;

std::string big_endian(std::uint32_t value, unsigned width) {
    std::string bytes;
    while (width-- > 0) bytes += static_cast<char>(value >> (8 * width) & 0xffU);
    return bytes;
}

/// An address in 16 bytes, since both ends of a header are of one family.
std::string as_v6(const SocketAddress& address) {
    if (address.is_v6()) return std::string(address.ip());
    return std::string("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12).append(address.ip());
}

std::string extra(char type, std::string_view value) {
    return type + big_endian(static_cast<std::uint32_t>(value.size()), 2).append(value);
}

/// Walks what follows the addresses; false when it is cut, or its checksum is wrong.
bool extras_hold(std::string_view header, std::string_view extras) {
    ByteReader reader(extras);
    while (!reader.done()) {
        const auto type = reader.take(1);
        const auto value = reader.block(2);
        if (!type || !value) return false;
        if (type->front() != type_crc32c) continue;
        if (value->size() != crc_bytes) return false;
        // Over the whole header, with zeros where the sum is.
        std::string zeroed(header);
        std::fill_n(zeroed.begin() + (value->data() - header.data()), crc_bytes, '\0');
        if (ByteReader(*value).number(crc_bytes) != crc32c(zeroed)) return false;
    }
    return true;
}

std::optional<ProxyEnds> read_ends(ByteReader& body, std::size_t ip_bytes) {
    const auto client = body.take(ip_bytes);
    const auto server = body.take(ip_bytes);
    const auto client_port = body.number(2);
    const auto server_port = body.number(2);
    if (!client || !server || !client_port || !server_port) return std::nullopt;
    return ProxyEnds{
        .client = SocketAddress::of(*client, static_cast<std::uint16_t>(*client_port)),
        .server = SocketAddress::of(*server, static_cast<std::uint16_t>(*server_port))};
}

}  // namespace

std::string proxy_header(const ProxyEnds& ends, std::string_view server_name) {
    const bool v6 = ends.client.is_v6() || ends.server.is_v6();
    std::string body = v6 ? as_v6(ends.client) + as_v6(ends.server)
                          : std::string(ends.client.ip()).append(ends.server.ip());
    body += big_endian(ends.client.port(), 2) + big_endian(ends.server.port(), 2);
    if (!server_name.empty()) body += extra(type_authority, server_name);
    body += extra(type_crc32c, std::string(crc_bytes, '\0'));
    std::string header(signature);
    header += version_proxy;
    header += v6 ? tcp_over_ipv6 : tcp_over_ipv4;
    header += big_endian(static_cast<std::uint32_t>(body.size()), 2) + body;
    const std::string sum = big_endian(crc32c(header), crc_bytes);
    header.replace(header.size() - crc_bytes, crc_bytes, sum);
    return header;
}

ProxyHeader read_proxy_header(std::string_view all) {
    const ProxyHeader wrong{.state = ProxyState::wrong};
    const std::size_t known = std::min(all.size(), signature.size());
    if (all.substr(0, known) != signature.substr(0, known)) return wrong;
    if (all.size() < fixed_bytes) return {};
    const std::size_t bytes = fixed_bytes + ByteReader(all.substr(length_at)).number(2).value_or(0);
    if (bytes > proxy_header_bytes_max) return wrong;
    if (all.size() < bytes) return {};
    const std::string_view header = all.substr(0, bytes);
    ByteReader body(header.substr(fixed_bytes));
    const char command = header[signature.size()];
    const char family = header[signature.size() + 1];
    const bool named = family == tcp_over_ipv4 || family == tcp_over_ipv6;
    if (command == version_local || (command == version_proxy && !named)) {
        return {.state = ProxyState::silent, .bytes = bytes};
    }
    if (command != version_proxy) return wrong;
    const auto ends = read_ends(body, family == tcp_over_ipv6 ? 16 : 4);
    if (!ends || !extras_hold(header, body.rest())) return wrong;
    return {.state = ProxyState::proxied, .bytes = bytes, .ends = *ends};
}

}  // namespace berth::sentinel
