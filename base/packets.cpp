// SPDX-License-Identifier: Apache-2.0
#include "base/packets.h"

#include "base/files.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace berth {
namespace {

constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(int) * packet_descriptors_max);

}  // namespace

Result<PacketPair> packet_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return fail(system_error("make a socket pair", errno));
    return PacketPair{.ours = Fd(ends[0]), .theirs = Fd(ends[1])};
}

bool send_packet(int socket, std::string_view bytes, std::span<const int> descriptors) {
    iovec data{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
    alignas(cmsghdr) std::array<char, control_bytes> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
    }
    ssize_t sent = -1;
    do {
        sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == static_cast<ssize_t>(bytes.size());
}

std::optional<Packet> receive_packet(int socket, std::size_t bytes_max) {
    Packet packet{.bytes = std::string(bytes_max, '\0')};
    iovec data{.iov_base = packet.bytes.data(), .iov_len = packet.bytes.size()};
    alignas(cmsghdr) std::array<char, control_bytes + CMSG_SPACE(sizeof(ucred))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t got = -1;
    do {
        got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return std::nullopt;
    for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET) continue;
        if (part->cmsg_type == SCM_CREDENTIALS) {
            ucred credentials{};
            std::memcpy(&credentials, CMSG_DATA(part), sizeof(credentials));
            packet.sender = credentials.pid;
        }
        if (part->cmsg_type != SCM_RIGHTS) continue;
        std::array<int, packet_descriptors_max> received{};
        const std::size_t bytes = part->cmsg_len - CMSG_LEN(0);
        std::memcpy(received.data(), CMSG_DATA(part), bytes);
        for (std::size_t at = 0; at < bytes / sizeof(int); ++at)
            packet.descriptors.emplace_back(received[at]);
    }
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return std::nullopt;
    packet.bytes.resize(static_cast<std::size_t>(got));
    return packet;
}

}  // namespace berth
