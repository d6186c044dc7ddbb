// SPDX-License-Identifier: Apache-2.0
#include "tunnel/frame.h"

#include <utility>

namespace berth::tunnel {

namespace {

constexpr std::uint8_t version = 0;
constexpr std::uint16_t known_flags =
    frame_flag::open | frame_flag::accept | frame_flag::end | frame_flag::reset;

void append_number(std::string& out, std::uint32_t number, unsigned width) {
    for (unsigned shift = 8 * width; shift > 0;) {
        shift -= 8;
        out += static_cast<char>((number >> shift) & 0xffU);
    }
}

std::uint32_t number(std::string_view bytes) {
    std::uint32_t value = 0;
    for (const char byte : bytes) value = value << 8U | static_cast<unsigned char>(byte);
    return value;
}

}  // namespace

void append_frame_header(std::string& out, const FrameHeader& header) {
    append_number(out, version, 1);
    append_number(out, std::to_underlying(header.kind), 1);
    append_number(out, header.flags, 2);
    append_number(out, header.stream, 4);
    append_number(out, header.length, 4);
}

void set_frame_length(char* header, std::uint32_t length) {
    for (std::size_t at = frame_header_bytes; at-- > frame_header_bytes - 4; length >>= 8U) {
        header[at] = static_cast<char>(length & 0xffU);
    }
}

std::optional<FrameHeader> read_frame_header(std::string_view bytes) {
    if (bytes.size() != frame_header_bytes) return std::nullopt;
    const auto kind = number(bytes.substr(1, 1));
    const auto flags = number(bytes.substr(2, 2));
    if (number(bytes.substr(0, 1)) != version || kind > std::to_underlying(FrameKind::go_away) ||
        (flags & ~std::uint32_t{known_flags}) != 0) {
        return std::nullopt;
    }
    const FrameHeader header{.kind = static_cast<FrameKind>(kind),
                             .flags = static_cast<std::uint16_t>(flags),
                             .stream = number(bytes.substr(4, 4)),
                             .length = number(bytes.substr(8, 4))};
    const bool of_a_stream = header.kind == FrameKind::data || header.kind == FrameKind::window;
    if (of_a_stream != (header.stream != 0)) return std::nullopt;
    return header;
}

}  // namespace berth::tunnel
