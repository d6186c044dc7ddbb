// SPDX-License-Identifier: Apache-2.0
// Packets between processes of one machine, with descriptors sent along (SCM_RIGHTS, unix(7)).
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

inline constexpr std::size_t packet_descriptors_max = 8;

struct PacketPair {
    Fd ours, theirs;
};

/// Two connected ends, closed on exec.
[[nodiscard]] Result<PacketPair> packet_pair();

/// False when the other end is closed, or the packet is too large for the socket. At least one
/// byte, and at most packet_descriptors_max descriptors, which stay the caller's.
[[nodiscard]] bool send_packet(int socket, std::string_view bytes,
                               std::span<const int> descriptors = {});

struct Packet {
    std::string bytes;
    std::vector<Fd> descriptors = {};
    pid_t sender = 0;  // the kernel's word; 0 unless the socket asks for it (SO_PASSCRED)
};

/// Waits for the next packet. Nothing when the other end is closed, or the packet has more than
/// `bytes_max` bytes or too many descriptors.
[[nodiscard]] std::optional<Packet> receive_packet(int socket, std::size_t bytes_max);

}  // namespace berth
