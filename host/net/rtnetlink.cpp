// SPDX-License-Identifier: Apache-2.0
#include "host/net/rtnetlink.h"

#include "base/fd.h"
#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <thread>

namespace berth::net {
namespace {

/// Of the namespace that the thread is in.
NetlinkSocket open_socket() {
    NetlinkSocket socket(::mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
    if (socket && ::mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) socket.reset();
    return socket;
}

}  // namespace

Result<> request(std::string_view doing, std::uint16_t type, std::uint16_t flags,
                 const std::function<void(nlmsghdr*)>& fill) {
    return request(BERTH_TRY(socket_here()), doing, type, flags, fill);
}

Result<NetlinkSocket> socket_here() {
    auto socket = open_socket();
    if (!socket) return fail(system_error("speak to the kernel of interfaces", errno));
    return socket;
}

Result<NetlinkSocket> socket_of(pid_t process) {
    const Fd space(::open(fmt::format("/proc/{}/ns/net", process).c_str(), O_RDONLY | O_CLOEXEC));
    NetlinkSocket socket;
    int error = errno;
    if (space) {
        // A thread of its own, which ends there: no other ever leaves the program's namespace.
        std::jthread([&] {
            if (::setns(space.get(), CLONE_NEWNET) == 0) socket = open_socket();
            error = errno;
        }).join();
    }
    if (!socket) return fail(system_error("enter a container's network", error));
    return socket;
}

Result<> request(const NetlinkSocket& socket, std::string_view doing, std::uint16_t type,
                 std::uint16_t flags, const std::function<void(nlmsghdr*)>& fill) {
    alignas(nlmsghdr) std::array<char, 8192> buffer{};
    nlmsghdr* message = ::mnl_nlmsg_put_header(buffer.data());
    message->nlmsg_type = type;
    message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    message->nlmsg_seq = 1;
    fill(message);
    if (::mnl_socket_sendto(socket.get(), message, message->nlmsg_len) < 0)
        return fail(system_error(doing, errno));
    alignas(nlmsghdr) std::array<char, 8192> answer{};
    const ssize_t got = ::mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
    if (got < 0 || ::mnl_cb_run(answer.data(), static_cast<std::size_t>(got), 1,
                                ::mnl_socket_get_portid(socket.get()), nullptr, nullptr) < 0)
        return fail(system_error(doing, errno));
    return {};
}

unsigned index_of(const NetlinkSocket& socket, std::string_view name) {
    ifreq wanted{};
    name.copy(static_cast<char*>(wanted.ifr_name), IFNAMSIZ - 1);
    if (::ioctl(::mnl_socket_get_fd(socket.get()), SIOCGIFINDEX, &wanted) != 0) return 0;
    return static_cast<unsigned>(wanted.ifr_ifindex);
}

}  // namespace berth::net
