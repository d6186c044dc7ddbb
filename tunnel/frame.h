// SPDX-License-Identifier: Apache-2.0
// The frames of yamux (version 0): 12 bytes of header, big-endian, and a body after `data` alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::tunnel {

enum class FrameKind : std::uint8_t { data, window, ping, go_away };

/// What a frame says about its stream besides its kind; a frame may have several.
namespace frame_flag {
constexpr std::uint16_t open = 1;
constexpr std::uint16_t accept = 2;  // also: the answer to a ping
constexpr std::uint16_t end = 4;
constexpr std::uint16_t reset = 8;
}  // namespace frame_flag

constexpr std::size_t frame_header_bytes = 12;

struct FrameHeader {
    FrameKind kind = FrameKind::data;
    std::uint16_t flags = 0;
    std::uint32_t stream = 0;  // 0 for what concerns the whole session
    std::uint32_t length = 0;  // bytes of data, bytes of new window, a ping's value, or a reason
    bool operator==(const FrameHeader&) const = default;
};

/// Puts the header's 12 bytes behind `out`.
void append_frame_header(std::string& out, const FrameHeader& header);

/// Says another length in a header that was written with `append_frame_header`.
void set_frame_length(char* header, std::uint32_t length);

/// Reads a header from exactly `frame_header_bytes`. None when its version, kind or flags are
/// unknown, or when its stream does not fit its kind: no frame can be found after such a one.
[[nodiscard]] std::optional<FrameHeader> read_frame_header(std::string_view bytes);

}  // namespace berth::tunnel
