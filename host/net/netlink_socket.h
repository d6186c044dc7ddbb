// SPDX-License-Identifier: Apache-2.0
// A netlink socket of libmnl that closes itself.
#pragma once

#include <libmnl/libmnl.h>

#include <memory>

namespace berth::net {

struct CloseSocket {
    void operator()(mnl_socket* socket) const noexcept { (void)::mnl_socket_close(socket); }
};
using NetlinkSocket = std::unique_ptr<mnl_socket, CloseSocket>;

}  // namespace berth::net
