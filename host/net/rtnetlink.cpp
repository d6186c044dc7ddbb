// SPDX-License-Identifier: Apache-2.0
#include "host/net/rtnetlink.h"

#include "base/files.h"
#include "host/net/netlink_socket.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cerrno>
#include <memory>

namespace berth::net {
Result<> request(std::string_view doing, std::uint16_t type, std::uint16_t flags,
                 const std::function<void(nlmsghdr*)>& fill) {
    alignas(nlmsghdr) std::array<char, 8192> buffer{};
    nlmsghdr* message = ::mnl_nlmsg_put_header(buffer.data());
    message->nlmsg_type = type;
    message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    message->nlmsg_seq = 1;
    fill(message);
    const NetlinkSocket socket(::mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
    if (!socket || ::mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0 ||
        ::mnl_socket_sendto(socket.get(), message, message->nlmsg_len) < 0)
        return fail(system_error(doing, errno));
    alignas(nlmsghdr) std::array<char, 8192> answer{};
    const ssize_t got = ::mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
    if (got < 0 || ::mnl_cb_run(answer.data(), static_cast<std::size_t>(got), 1,
                                ::mnl_socket_get_portid(socket.get()), nullptr, nullptr) < 0)
        return fail(system_error(doing, errno));
    return {};
}

}  // namespace berth::net
