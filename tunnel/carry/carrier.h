// SPDX-License-Identifier: Apache-2.0
// Carries bytes between the streams of tunnels and sockets of this machine: one thread, an epoll
// loop, any number of sessions. The front gives it sockets to carry; at the host's end it connects
// them itself, where it is told.
#pragma once

#include "base/deadline_list.h"
#include "base/fd.h"
#include "base/socket_address.h"
#include "tunnel/carry/channel.h"
#include "tunnel/carry/visitor.h"
#include "tunnel/mux.h"
#include "tunnel/stream_opening.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

namespace berth::tunnel {

using SessionId = std::uint64_t;

/// A connection whose ends know each other: from here on it speaks yamux.
struct Established {
    Fd socket;
    Channel tls;
    MuxSide side = MuxSide::odd;
    std::string early = {};  // what the peer has said behind its hello
    /// A host of Containarium's: a stream begins with its port alone, two bytes of it; and since
    /// the host ends both directions with the first one, a visitor's end waits for the host's.
    bool containarium = false;
    /// Then the session is over, whatever it carries.
    std::optional<std::chrono::system_clock::time_point> until = {};
};

/// What a session has carried: streams, and the bytes that its sockets have given and taken.
struct SessionSums {
    std::uint64_t streams = 0, bytes_from_sockets = 0, bytes_to_sockets = 0;
};

/// All are called from the carrier's thread, and must not wait.
struct CarrierCalls {
    /// Where to connect a stream that the peer has opened; nothing, and it is reset.
    std::function<std::optional<SocketAddress>(SessionId, const StreamOpening&)> target = {};
    /// The first bytes of a stream go to its socket.
    std::function<void(SessionId, std::string_view first)> begun = {};
    /// The session is over, and so are its streams.
    std::function<void(SessionId, const Error& why, const SessionSums&)> ended = {};
    /// The peer takes no more streams: those there are go on.
    std::function<void(SessionId)> leaving = {};
};

struct CarrierLimits {
    MuxLimits mux = {.waiting_bytes_max = 128U << 10U,
                     .streams_max = 2048,
                     .backlog_max = 2048,  // as many may be opened by what is read at once
                     .budget = std::make_shared<MuxBudget>()};
    std::chrono::milliseconds ping_every{15'000};
    /// So long a visitor's one direction may stand still when the other has ended.
    std::chrono::milliseconds half_closed_max{300'000};
};

class Carrier {
public:
    [[nodiscard]] static Result<std::unique_ptr<Carrier>> start(CarrierCalls calls,
                                                                CarrierLimits limits = {});
    Carrier(const Carrier&) = delete;
    Carrier& operator=(const Carrier&) = delete;
    /// Ends all sessions.
    ~Carrier();

    // All of these may be called from any thread, and do not wait.

    void adopt(SessionId id, Established established);
    /// Opens a stream to the session's peer for a visitor, who is told it was refused where the
    /// session is gone.
    void open(SessionId id, StreamOpening opening, Visitor visitor);
    /// No more streams; the session ends with the last of them.
    void retire(SessionId id);
    /// Has all peers come again elsewhere, and takes streams for them until then and beyond, since
    /// who has asked here already is not there. A host of Containarium comes again when its session
    /// ends, and so that retires.
    void dismiss_all();
    /// Ends the session and its streams.
    void cut(SessionId id, Error why);
    /// Asks the peer for a sign of life now.
    void ping(SessionId id);

    /// Streams there are, with those that are about to be opened, and those there ever were.
    [[nodiscard]] std::size_t streams() const { return streams_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t streams_total() const {
        return streams_total_.load(std::memory_order_relaxed);
    }
    /// Bytes that sockets have taken, and that they have given.
    [[nodiscard]] std::uint64_t bytes_to_sockets() const {
        return bytes_to_sockets_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t bytes_from_sockets() const {
        return bytes_from_sockets_.load(std::memory_order_relaxed);
    }

private:
    struct Session;
    struct Ferry;
    using Order = std::move_only_function<void()>;

    Carrier(CarrierCalls calls, CarrierLimits limits);
    [[nodiscard]] Result<> set_up();
    void give(Order order);
    [[nodiscard]] Session* find(SessionId id);

    // Turns and sessions (carrier.cpp).
    void run();
    [[nodiscard]] bool take_orders();
    void take_event(std::uint64_t tag, std::uint32_t events);
    void look_at_time();
    [[nodiscard]] std::optional<Error> silence_of(const Session& session) const;
    void begin(SessionId id, Established established);
    void serve(Session& session);
    [[nodiscard]] Result<> read(Session& session);
    [[nodiscard]] Result<> feed(Session& session, std::string_view plain);
    [[nodiscard]] Result<> flush(Session& session);
    void mark(Session& session);
    void retire(Session& session);
    void end(Session& session, const Error& why);

    // Streams (carrier_streams.cpp).
    void begin_stream(SessionId id, const StreamOpening& opening, Visitor visitor);
    void take_streams(Session& session);
    void attend(Ferry& ferry);
    [[nodiscard]] bool go_on(Ferry& ferry);
    [[nodiscard]] bool read_opening_of(Ferry& ferry);
    [[nodiscard]] bool connect(Ferry& ferry, const SocketAddress& target);
    [[nodiscard]] bool to_socket(Ferry& ferry);
    [[nodiscard]] bool to_stream(Ferry& ferry);
    [[nodiscard]] std::size_t send(Ferry& ferry, std::string_view bytes);
    [[nodiscard]] std::size_t receive(Ferry& ferry, char* to, std::size_t bytes_max);
    void look_again(Ferry& ferry);
    void watch(Ferry& ferry);
    void count_stream();
    void count_from_socket(Session& session, std::size_t bytes);
    void end_still();
    void abort(Ferry& ferry);
    void refuse(const Fd& socket, std::string_view refusal);
    void remove(Ferry& ferry);

    const CarrierCalls calls_;
    const CarrierLimits limits_;
    Fd epoll_, wake_;
    std::mutex mutex_;  // of the next two
    std::vector<Order> orders_;
    bool stopping_ = false;
    std::atomic<std::size_t> streams_ = 0;
    std::atomic<std::uint64_t> streams_total_ = 0, bytes_to_sockets_ = 0, bytes_from_sockets_ = 0;
    // All else is of the thread alone.
    Moment now_, look_due_;
    DeadlineList half_closed_;
    std::unordered_map<SessionId, std::unique_ptr<Session>> sessions_;
    std::vector<SessionId> marked_;
    std::vector<std::unique_ptr<Session>> sessions_over_;  // until no event can mean them
    std::vector<std::unique_ptr<Ferry>> ferries_over_;
    std::string buffer_, plain_, batch_;
    std::thread thread_;
};

}  // namespace berth::tunnel
