// SPDX-License-Identifier: Apache-2.0
// Where the sentinel itself listens. A pool that is said to be there would be dialled by the
// sentinel, which would be its own client, asking for the same name, until nothing is left.
#pragma once

#include "base/socket_address.h"

#include <vector>

namespace berth::sentinel {

class OwnAddresses {
public:
    OwnAddresses() = default;
    explicit OwnAddresses(std::vector<SocketAddress> listening)
        : listening_(std::move(listening)) {}

    /// Whether a connection to there comes back here. Where we listen at all addresses of this
    /// machine, those that it has at this moment count.
    [[nodiscard]] bool lead_back(const SocketAddress& to) const;

private:
    std::vector<SocketAddress> listening_;
};

}  // namespace berth::sentinel
