// SPDX-License-Identifier: Apache-2.0
#include "host/net/table_watch.h"

#include "base/files.h"
#include "host/net/nft_table.h"

#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>

namespace berth::net {

Result<std::unique_ptr<TableWatch>> TableWatch::start(Check check) {
    constexpr int group = NFNLGRP_NFTABLES;
    NetlinkSocket socket(::mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket || ::mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0 ||
        ::mnl_socket_setsockopt(socket.get(), NETLINK_ADD_MEMBERSHIP, const_cast<int*>(&group),
                                sizeof(group)) < 0)
        return fail(system_error("listen to changes of nftables", errno));
    Fd wake(::eventfd(0, EFD_CLOEXEC));
    if (!wake) return fail(system_error("make an event", errno));
    std::unique_ptr<TableWatch> watch(
        new TableWatch(std::move(check), std::move(socket), std::move(wake)));
    watch->thread_ =
        std::jthread([raw = watch.get()](const std::stop_token& stopping) { raw->run(stopping); });
    return watch;
}

TableWatch::~TableWatch() {
    thread_.request_stop();
    (void)::eventfd_write(wake_.get(), 1);
}

void TableWatch::run(const std::stop_token& stopping) {
    using std::chrono::milliseconds;
    constexpr int pause_ms = static_cast<int>(milliseconds(check_pause).count());
    constexpr int retry_ms = static_cast<int>(milliseconds(check_retry).count());
    std::array polled{pollfd{wake_.get(), POLLIN, 0},
                      pollfd{::mnl_socket_get_fd(notifications_.get()), POLLIN, 0}};
    bool right = check_();
    while (!stopping.stop_requested()) {
        (void)::poll(polled.data(), polled.size(), right ? -1 : retry_ms);
        if (stopping.stop_requested()) return;
        const bool touched = read_all();
        if (right && !touched) continue;
        right = check_();
        (void)::poll(polled.data(), 1, pause_ms);
    }
}

bool TableWatch::read_all() {
    constexpr std::size_t notification_bytes_max = 32 * 1024;
    constexpr int notifications_max = 1024;  // before it is the check's turn
    std::array<char, notification_bytes_max> buffer{};
    bool touched = false;
    for (int count = 0; count < notifications_max; ++count) {
        const ssize_t got =
            ::mnl_socket_recvfrom(notifications_.get(), buffer.data(), buffer.size());
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return touched;
        // Some were lost (ENOBUFS) or cut (ENOSPC), so nobody knows what of.
        if (got < 0) touched = touched || errno != EINTR;
        int left = static_cast<int>(got);
        for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
             ::mnl_nlmsg_ok(message, left); message = ::mnl_nlmsg_next(message, &left))
            touched = touched || is_about_table(message);
    }
    return touched;
}

}  // namespace berth::net
