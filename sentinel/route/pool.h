// SPDX-License-Identifier: Apache-2.0
// A pool as the data plane sees it: where its primary is, and how it is spoken to.
#pragma once

#include "base/socket_address.h"

#include <string>

namespace berth::sentinel {

struct Pool {
    std::string name;
    SocketAddress primary;
    bool proxy_protocol = false;  // its primary wants to be told who connects
    bool operator==(const Pool&) const = default;
};

}  // namespace berth::sentinel
