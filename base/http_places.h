// SPDX-License-Identifier: Apache-2.0
// Which connections an HTTP server has, and who makes room when there are too many: a connection
// that has not sent a whole request yet costs its peer nothing, so it must not keep out one that
// has.
#pragma once

#include "base/socket_address.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace berth::http {

/// Values alone; the caller locks, and does to sockets what this says.
class Places {
public:
    /// Connections in all, and strangers of one source: an IPv4 address or an IPv6 /64. A stranger
    /// is a connection of which no request is being answered or was.
    Places(std::size_t in_all_max, std::size_t strangers_per_source_max)
        : in_all_max_(in_all_max), strangers_per_source_max_(strangers_per_source_max) {}

    /// "" for a peer without an address, which has no bound of its own.
    [[nodiscard]] static std::string source_of(const KernelAddress& peer);

    static constexpr int nobody = -1;
    struct Admission {
        bool admitted = false;
        int evicted = nobody;  // the socket that is to be shut down for it
    };
    /// A stranger too many of a source replaces the oldest of that source, and with all places
    /// taken the oldest of all; there is no room when nobody is a stranger.
    [[nodiscard]] Admission enter(int socket, std::string source);
    /// A whole request has come, or (false) there will be no other.
    void known(int socket, bool is_known);
    void leave(int socket);

    [[nodiscard]] bool empty() const { return open_.empty(); }
    template <class Visit>
    void each(Visit visit) const {
        for (const auto& [socket, one] : open_) visit(socket);
    }

private:
    struct One {
        std::string source;
        std::uint64_t number = 0;  // in the order they came
        bool stranger = true;
        bool evicted = false;  // its thread has not ended yet
    };
    const std::size_t in_all_max_, strangers_per_source_max_;
    std::map<int, One> open_;
    std::size_t evicted_ = 0;
    std::uint64_t next_ = 0;
};

}  // namespace berth::http
