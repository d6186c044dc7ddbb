// SPDX-License-Identifier: Apache-2.0
// Many streams in one connection, by yamux. It touches no socket and no clock: what arrived is fed
// to it, what is to be sent is taken from it, and the time is told.
//
// A stream has two directions that end by themselves. What may be in flight in one is its window:
// the receiver gives 256 KiB at first, and more as it reads, so that one reader who stands still
// holds his own stream and no other. A window that is read through in two round trips or less
// doubles.
#pragma once

#include "tools-schema/contract/result.h"
#include "tunnel/byte_queue.h"
#include "tunnel/frame.h"
#include "tunnel/mux_budget.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace berth::tunnel {

using StreamId = std::uint32_t;
using Moment = std::chrono::steady_clock::time_point;

/// Who speaks first decides the numbers: an opener's streams are odd, the other side's are even.
enum class MuxSide : std::uint8_t { odd, even };

/// The window that every stream begins with; the protocol says so.
constexpr std::uint32_t window_bytes_first = 256U << 10U;

struct MuxLimits {
    std::uint32_t window_bytes_max = 16U << 20U;      // of one stream
    std::uint64_t grown_bytes_max = 64U << 20U;       // by which all windows together may grow
    std::size_t waiting_bytes_max = 256U << 10U;      // written to one stream and not sent yet
    std::size_t streams_max = 4096;                   // open at a time, of both sides
    std::size_t backlog_max = 256;                    // opened by the peer and not accepted yet
    std::size_t owed_bytes_max = 256U << 10U;         // of answers that the peer does not read
    std::uint32_t frame_bytes_max = 64U << 10U;       // of data, where others wait for their turn
    StreamId id_max = 0xffffffff;                     // the last number a stream can have
    std::shared_ptr<MuxBudget> budget = {};           // with other sessions; none, and none is kept
    std::chrono::milliseconds pong_wait_max{10'000};  // after which the peer counts as gone
    /// Of a peer who has been quiet for longer nobody knows whether it is still there.
    std::chrono::milliseconds quiet_max{1'000};
    /// How long somebody who needs it now waits for a sign of life of such a peer.
    std::chrono::milliseconds sign_wait_max{3'000};
};

/// How much one `take` gives when there is that much: eight records of TLS.
constexpr std::size_t batch_bytes_max = 128U << 10U;

/// Where bytes of streams come from and go to without a stop in between. Neither call may change
/// the mux.
class StreamBytes {
public:
    StreamBytes() = default;
    StreamBytes(const StreamBytes&) = delete;
    StreamBytes& operator=(const StreamBytes&) = delete;
    virtual ~StreamBytes() = default;
    /// Takes the first of these bytes, which the peer has sent, and says how many.
    virtual std::size_t put(StreamId id, std::string_view bytes) = 0;
    /// Gives some of the bytes that were offered. When it gives fewer than `bytes_max` there are no
    /// more, until the next offer.
    virtual std::size_t get(StreamId id, char* to, std::size_t bytes_max) = 0;
};

class Mux {
public:
    /// Without `bytes` all that arrives waits until it is consumed, and nothing can be offered.
    explicit Mux(MuxSide side, MuxLimits limits = {}, StreamBytes* bytes = nullptr);
    Mux(const Mux&) = delete;
    Mux& operator=(const Mux&) = delete;
    ~Mux();

    /// Takes what the peer sent, cut anywhere. An error ends the session: `take` what is left (the
    /// peer is told) and close. It says what the peer did, and comes again at every later call.
    Result<> feed(std::string_view bytes, Moment now);

    /// Puts the next bytes for the peer behind `out`, some `bytes_max` of them, and says how many.
    /// Small things go first (windows, pings, ends, short messages), then each stream in turn.
    std::size_t take(std::string& out, std::size_t bytes_max = batch_bytes_max);

    /// A stream of our own. `unavailable` when the peer is going away or no number is left, `busy`
    /// when there are `streams_max`.
    Result<StreamId> open();
    /// The next stream that the peer opened, if any.
    std::optional<StreamId> accept();
    /// A stream about which something is new: bytes, an end, a reset, or room to write.
    std::optional<StreamId> next_changed();

    /// Whether there may be one.
    [[nodiscard]] bool has_changed() const { return !changed_.empty(); }

    /// How many bytes `write` takes now; 0 for a stream that cannot be written any more.
    [[nodiscard]] std::size_t room(StreamId id) const;
    /// Takes as many of the bytes as there is room for, and says how many.
    std::size_t write(StreamId id, std::string_view bytes);
    /// There may be bytes to be sent, behind those that were written: they are asked for when they
    /// can be.
    void offer(StreamId id);
    /// No more will be written; the peer learns of it behind the last byte.
    void finish(StreamId id);

    /// What has arrived and was not consumed; valid until the next call that is not const.
    [[nodiscard]] std::string_view received(StreamId id) const;
    /// The first `count` bytes of `received` are dealt with: the peer may send as many again.
    void consume(StreamId id, std::size_t count, Moment now);
    /// The peer has finished, and all it sent is consumed.
    [[nodiscard]] bool ended(StreamId id) const;
    [[nodiscard]] bool was_reset(StreamId id) const;
    /// Both ends are through: nothing is left to send or to read.
    [[nodiscard]] bool over(StreamId id) const;
    /// Forgets the stream. One that is not over in both directions is reset.
    void close(StreamId id);
    [[nodiscard]] std::size_t stream_count() const { return streams_.size(); }
    /// The bytes that the peer may have in flight to this stream and ours unread.
    [[nodiscard]] std::uint32_t window(StreamId id) const;

    /// Asks the peer for a sign of life, and measures. Does nothing while an answer is awaited.
    void ping(Moment now);
    /// The smoothed time from ping to pong.
    [[nodiscard]] std::optional<std::chrono::microseconds> round_trip() const {
        return round_trip_;
    }
    /// Something is to be sent now, and so the peer is expected to be there: look().
    void expect(Moment now);
    /// A peer who is expected and has been quiet for too long is asked for a sign of life, and has
    /// no more than `sign_wait_max` for it. Whatever it says is one. True when it is asked now.
    bool look(Moment now);
    /// Since when a sign of life has been waited for like that.
    [[nodiscard]] std::optional<Moment> doubted_since() const { return doubted_since_; }
    /// The peer owes a pong for too long, and has said nothing else either.
    [[nodiscard]] bool overdue(Moment now) const;
    /// New streams are refused from now on; those that are open go on.
    void go_away();
    [[nodiscard]] bool peer_is_going() const { return peer_is_going_; }

private:
    struct Stream {
        ByteQueue incoming;
        ByteQueue outgoing;
        std::uint64_t may_send = window_bytes_first;     // what is left of the peer's window
        std::uint32_t may_receive = window_bytes_first;  // what is left of ours
        std::uint32_t may_open = 0;                      // what was read of it and not given again
        std::uint32_t window = window_bytes_first;       // how big ours is
        std::uint32_t read = 0;                          // of it, since `read_since`
        Moment read_since{};
        bool finishing = false;
        bool finished = false;  // our end is sent
        bool peer_finished = false;
        bool reset = false;
        bool queued = false;   // waits for its turn to send
        bool changed = false;  // waits to be told of
        bool full = false;     // a write did not fit
        bool offered = false;  // there may be bytes to get
        bool bulk = false;     // there were many, the last time
        [[nodiscard]] bool over() const { return reset || (finished && peer_finished); }
    };

    Result<> header_arrived(const FrameHeader& header, Moment now);
    Result<> opened_by_peer(StreamId id);
    Result<> data_announced(const FrameHeader& header, Moment now);
    Result<> window_opened(const FrameHeader& header);
    void body_arrived(std::string_view bytes, Moment now);
    void keep(StreamId id, Stream& stream, std::string_view bytes);
    void let_go(Stream& stream, std::size_t count);
    void recount(const Stream& stream, std::size_t footprint_before);
    void peer_finished(StreamId id);
    void peer_reset(StreamId id);
    void pinged(const FrameHeader& header, Moment now);
    std::unexpected<Error> broken(std::string_view what);

    [[nodiscard]] const Stream* find(StreamId id) const;
    [[nodiscard]] Stream* find(StreamId id);
    void owe(const FrameHeader& header) { append_frame_header(owed_, header); }
    void mark_changed(StreamId id, Stream& stream);
    void queue(StreamId id, Stream& stream);
    [[nodiscard]] std::size_t frame_room(const Stream& stream) const;
    void send_some(std::string& out, StreamId id, Stream& stream);
    void send_offered(std::string& out, StreamId id, Stream& stream);
    void was_read(StreamId id, Stream& stream, std::uint32_t read, Moment now);
    void grow(Stream& stream, std::uint32_t read, Moment now);

    MuxLimits limits_;
    MuxSide side_;
    StreamBytes* bytes_;
    std::uint64_t next_id_;
    StreamId peer_id_last_ = 0;
    std::unordered_map<StreamId, Stream> streams_;
    std::deque<StreamId> backlog_, changed_, short_, long_;
    std::string owed_;  // frames without a body
    std::uint64_t grown_bytes_ = 0;
    std::uint64_t held_bytes_ = 0;  // of the budget

    std::string header_;  // the part of a header that has arrived
    FrameHeader current_;
    std::uint32_t body_left_ = 0;
    std::optional<Error> fault_;

    Moment heard_{};  // when the peer said something last
    bool expected_ = false;  // since then
    std::optional<Moment> doubted_since_;
    std::optional<Moment> ping_sent_;
    std::uint32_t ping_value_ = 0;
    std::optional<std::chrono::microseconds> round_trip_;
    bool going_ = false;
    bool peer_is_going_ = false;
};

}  // namespace berth::tunnel
