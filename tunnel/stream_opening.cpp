// SPDX-License-Identifier: Apache-2.0
#include "tunnel/stream_opening.h"

#include "base/byte_reader.h"

#include <algorithm>
#include <optional>

namespace berth::tunnel {
namespace {

constexpr std::size_t opened_name_bytes_max = 255;
constexpr std::size_t prefix_bytes = 2;

void put_number(std::string& out, std::size_t number, std::size_t width) {
    while (width-- > 0) out += static_cast<char>(number >> (8 * width) & 0xffU);
}

std::optional<StreamOpening> opening_of(std::string_view bytes) {
    ByteReader reader(bytes);
    const auto purpose = reader.number(1);
    const auto port = reader.number(2);
    const auto ip = reader.block(1);
    const auto source_port = reader.number(2);
    const auto name = reader.block(1);
    if (!port || !ip || !source_port || !name || !reader.done()) return std::nullopt;
    if (purpose != static_cast<std::uint32_t>(Purpose::visit)) return std::nullopt;
    if (*port == 0 || (ip->size() != 4 && ip->size() != 16)) return std::nullopt;
    return StreamOpening{.port = static_cast<std::uint16_t>(*port),
                         .source = SocketAddress::of(*ip, static_cast<std::uint16_t>(*source_port)),
                         .name = std::string(*name)};
}

}  // namespace

std::string encode(const StreamOpening& opening) {
    std::string rest;
    put_number(rest, static_cast<std::size_t>(opening.purpose), 1);
    put_number(rest, opening.port, 2);
    const std::string_view ip = opening.source.ip();
    put_number(rest, ip.size(), 1);
    rest += ip;
    put_number(rest, opening.source.port(), 2);
    const std::size_t name_bytes = std::min(opening.name.size(), opened_name_bytes_max);
    put_number(rest, name_bytes, 1);
    rest.append(opening.name, 0, name_bytes);
    std::string out;
    put_number(out, rest.size(), prefix_bytes);
    return out + rest;
}

OpeningRead read_opening(std::string_view bytes) {
    ByteReader reader(bytes);
    const auto length = reader.number(prefix_bytes);
    if (!length) return {};
    if (*length > opening_bytes_max) return {.state = OpeningState::wrong};
    const auto rest = reader.take(*length);
    if (!rest) return {};
    auto opening = opening_of(*rest);
    if (!opening) return {.state = OpeningState::wrong};
    return {.state = OpeningState::read,
            .opening = *std::move(opening),
            .bytes = prefix_bytes + rest->size()};
}

}  // namespace berth::tunnel
