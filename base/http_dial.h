// SPDX-License-Identifier: Apache-2.0
// How an HTTP client's socket is opened: in steps, so that whoever is waiting can be interrupted by
// shutdown(2) in each of them.
#pragma once

#include "base/fd.h"
#include "base/http_socket.h"
#include "tools-schema/contract/result.h"

#include <cstdint>
#include <stop_token>
#include <string>

namespace berth::http {

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

/// Of a unix socket when `port` is 0, or of a host by name or number.
[[nodiscard]] Result<Address> resolve(const std::string& address, std::uint16_t port);

/// A non-blocking socket for that address, not connected yet.
[[nodiscard]] Result<Fd> make_socket(const Address& address);

/// 0, or the errno of the failure: ETIMEDOUT at the deadline, ECANCELED when stop was requested. A
/// stop that is requested later ends it only if it also shuts the socket down.
[[nodiscard]] int connect_socket(const Fd& socket, const Address& address, SteadyTime deadline,
                                 const std::stop_token& cancelled);

}  // namespace berth::http
