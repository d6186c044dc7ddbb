// SPDX-License-Identifier: Apache-2.0
#include "base/keepalive.h"

#include "base/files.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace berth {
namespace {

struct Option {
    int level, name, value;
    const char* doing;
};

constexpr Option options[] = {
    {SOL_SOCKET, SO_KEEPALIVE, 1, "set SO_KEEPALIVE"},
    {IPPROTO_TCP, TCP_KEEPIDLE, 90, "set TCP_KEEPIDLE"},    // seconds
    {IPPROTO_TCP, TCP_KEEPINTVL, 15, "set TCP_KEEPINTVL"},  // seconds
    {IPPROTO_TCP, TCP_KEEPCNT, 6, "set TCP_KEEPCNT"},
};

}  // namespace

Result<> keep_alive(const Fd& socket) {
    for (const auto& [level, name, value, doing] : options) {
        if (::setsockopt(socket.get(), level, name, &value, sizeof value) != 0) {
            return fail(system_error(doing, errno));
        }
    }
    return {};
}

}  // namespace berth
