// SPDX-License-Identifier: Apache-2.0
// What a carrier keeps of a session and of each of its streams.
#pragma once

#include "tunnel/carry/carrier.h"

namespace berth::tunnel {

/// A stream and its socket, and what is known of that: epoll tells it once (EPOLLET).
struct Carrier::Ferry {
    enum class Stage : std::uint8_t {
        opening,     // the peer has not said yet where to
        connecting,  // there
        carrying,
        over,
    };
    Session& session;
    StreamId id;
    Stage stage = Stage::carrying;
    bool readable = false;
    bool writable = false;
    bool hung = false;      // its end is behind what can be read
    bool failed = false;    // by an error, or by a reset of its other end
    bool end_read = false;  // of the socket; the stream was told
    bool shut = false;      // the stream's end was passed on to the socket
    bool heard = false;     // a byte of the stream
    Fd socket = {};
    std::shared_ptr<Link> link = {};  // with the front; none at the host's end
    std::string refusal = {};
};

/// In what epoll gives back: the address is a ferry's, and else a session's.
constexpr std::uint64_t ferry_bit = 1;

struct Carrier::Session {
    SessionId id;
    Fd socket;
    Channel tls;
    Mux mux;
    std::unordered_map<StreamId, std::unique_ptr<Ferry>> ferries = {};
    std::vector<StreamId> ready = {};  // whose sockets have news
    Moment ping_due = {};
    bool readable = true;
    bool writable = true;
    bool hung = false;      // its end is behind what can be read
    bool marked = false;    // waits for its turn
    bool retiring = false;  // takes no more streams
    bool left = false;      // the peer takes none, and that was told
    bool containarium = false;
};

}  // namespace berth::tunnel
