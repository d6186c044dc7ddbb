// SPDX-License-Identifier: Apache-2.0
// Listening sockets. Made here and not by cpp-httplib, whose backlog of 5 loses connections.
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace berth {

struct TcpEndpoint {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  // 0: any free one
};

struct UnixEndpoint {
    std::string path = {};
    mode_t mode = 0600;
    std::string group = {};  // "": leave as created
};

/// already_exists when the port is taken.
[[nodiscard]] Result<Fd> listen_on(const TcpEndpoint& endpoint);

/// A socket file that nobody answers at is replaced; already_exists when somebody does.
[[nodiscard]] Result<Fd> listen_on(const UnixEndpoint& endpoint);

}  // namespace berth
