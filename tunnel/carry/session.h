// SPDX-License-Identifier: Apache-2.0
// What a carrier keeps of a session and of each of its streams.
#pragma once

#include "tunnel/carry/carrier.h"

namespace berth::tunnel {

/// A stream and its socket, and what is known of that: epoll tells it once (EPOLLET).
struct Carrier::Ferry : Timed {
    enum class Stage : std::uint8_t {
        opening,     // the peer has not said yet where to
        connecting,  // there
        carrying,
        over,
    };
    Ferry(Session& of, StreamId number, Stage where) : session(of), id(number), stage(where) {}
    /// Tells its watcher, once.
    void tell(StreamEnd::How how) {
        if (!watcher) return;
        watcher->over({.how = how, .bytes_from_socket = from_socket, .bytes_to_socket = to_socket});
        watcher.reset();
    }

    Session& session;
    StreamId id;
    Stage stage;
    bool readable = false;
    bool writable = false;
    bool hung = false;      // its end is behind what can be read
    bool failed = false;    // by an error, or by a reset of its other end
    bool end_read = false;  // of the socket; the stream was told
    bool shut = false;      // the stream's end was passed on to the socket
    bool heard = false;     // a byte of the stream
    bool moved = false;     // a byte, since its time was last looked at
    Fd socket;
    std::string said;     // by a visitor, and the stream has no room for it yet
    std::string refusal;  // as the next, a visitor's alone
    std::unique_ptr<StreamWatcher> watcher;
    std::uint64_t from_socket = 0, to_socket = 0;  // bytes
};

/// In what epoll gives back: the address is a ferry's, and else a session's.
constexpr std::uint64_t ferry_bit = 1;

struct Carrier::Session final : StreamBytes {
    Session(Carrier& of, SessionId number, Established established)
        : carrier(of),
          id(number),
          socket(std::move(established.socket)),
          tls(std::move(established.tls)),
          mux(established.side, of.limits_.mux, this),
          until(established.until),
          containarium(established.containarium) {}
    std::size_t put(StreamId stream, std::string_view bytes) override;
    std::size_t get(StreamId stream, char* to, std::size_t bytes_max) override;

    Carrier& carrier;
    SessionId id;
    Fd socket;
    Channel tls;
    Mux mux;
    std::unordered_map<StreamId, std::unique_ptr<Ferry>> ferries;
    std::vector<StreamId> ready;  // whose sockets have news
    Moment ping_due;
    std::optional<std::chrono::system_clock::time_point> until;
    SessionSums sums;
    bool readable = true;
    bool writable = true;
    bool hung = false;      // its end is behind what can be read
    bool marked = false;    // waits for its turn
    bool retiring = false;  // takes no more streams
    bool left = false;      // the peer takes none, and that was told
    bool containarium;
};

}  // namespace berth::tunnel
