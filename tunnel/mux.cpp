// SPDX-License-Identifier: Apache-2.0
// What is done with streams from our side, and what is sent. What arrives is in mux_feed.cpp.
#include "tunnel/mux.h"

#include <algorithm>
#include <utility>

namespace berth::tunnel {

namespace {

// A stream with as little as this waiting is a conversation, and goes before bulk.
constexpr std::size_t short_bytes_max = 2048;

// A window is opened again when this part of it was read, and not less than half of the first one:
// a sender who is given half of 16 MiB at once gives it all to the line at once.
constexpr std::uint32_t opening_share = 16;

}  // namespace

Mux::Mux(MuxSide side, MuxLimits limits, StreamBytes* bytes)
    : limits_(std::move(limits)),
      side_(side),
      bytes_(bytes),
      next_id_(side == MuxSide::odd ? 1 : 2) {}

Mux::~Mux() {
    if (limits_.budget) limits_.budget->give_back(held_bytes_);
}

const Mux::Stream* Mux::find(StreamId id) const {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : &found->second;
}

Mux::Stream* Mux::find(StreamId id) {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : &found->second;
}

Result<StreamId> Mux::open() {
    if (fault_) return std::unexpected(*fault_);
    if (peer_is_going_) {
        return std::unexpected(Error{.code = ErrorCode::unavailable,
                                     .message = "the tunnel is going away",
                                     .hint = "open the stream in the next session"});
    }
    if (next_id_ > limits_.id_max) {
        return std::unexpected(Error{.code = ErrorCode::unavailable,
                                     .message = "the tunnel has no number left for a stream",
                                     .hint = "open the stream in a new session"});
    }
    if (streams_.size() >= limits_.streams_max) {
        return std::unexpected(Error{.code = ErrorCode::busy,
                                     .message = "the tunnel has " +
                                                std::to_string(limits_.streams_max) +
                                                " streams, and may have no more",
                                     .hint = "try again when one has ended"});
    }
    const auto id = static_cast<StreamId>(next_id_);
    next_id_ += 2;
    streams_.try_emplace(id);
    owe({.kind = FrameKind::window, .flags = frame_flag::open, .stream = id});
    return id;
}

std::optional<StreamId> Mux::accept() {
    while (!backlog_.empty()) {
        const StreamId id = backlog_.front();
        backlog_.pop_front();
        const Stream* stream = find(id);
        if (stream == nullptr) continue;
        if (!stream->reset) {
            owe({.kind = FrameKind::window, .flags = frame_flag::accept, .stream = id});
        }
        return id;
    }
    return std::nullopt;
}

std::optional<StreamId> Mux::next_changed() {
    while (!changed_.empty()) {
        const StreamId id = changed_.front();
        changed_.pop_front();
        if (Stream* stream = find(id)) {
            stream->changed = false;
            return id;
        }
    }
    return std::nullopt;
}

std::size_t Mux::room(StreamId id) const {
    const Stream* stream = find(id);
    if (fault_ || stream == nullptr || stream->reset || stream->finishing) return 0;
    return limits_.waiting_bytes_max - stream->outgoing.size();
}

std::size_t Mux::write(StreamId id, std::string_view bytes) {
    const auto taken = bytes.substr(0, room(id));
    if (Stream* stream = find(id)) {
        stream->full = taken.size() < bytes.size();
        stream->outgoing.append(taken);
        queue(id, *stream);
    }
    return taken.size();
}

void Mux::offer(StreamId id) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->reset || stream->finishing) return;
    stream->offered = true;
    queue(id, *stream);
}

void Mux::finish(StreamId id) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->reset) return;
    stream->finishing = true;
    queue(id, *stream);
}

std::string_view Mux::received(StreamId id) const {
    const Stream* stream = find(id);
    return stream == nullptr ? std::string_view() : stream->incoming.front();
}

void Mux::consume(StreamId id, std::size_t count, Moment now) {
    Stream* stream = find(id);
    if (stream == nullptr) return;
    const auto read = static_cast<std::uint32_t>(std::min(count, stream->incoming.size()));
    let_go(*stream, read);
    was_read(id, *stream, read, now);
}

/// Opens the window again by what was read, or a little later.
void Mux::was_read(StreamId id, Stream& stream, std::uint32_t read, Moment now) {
    if (stream.reset || stream.peer_finished) return;
    // Not what is missing in the window: a frame may be announced and not have arrived whole.
    stream.may_open += read;
    grow(stream, read, now);
    if (stream.may_open < std::max(stream.window / opening_share, window_bytes_first / 2)) return;
    stream.may_receive += stream.may_open;
    owe({.kind = FrameKind::window,
         .stream = id,
         .length = std::exchange(stream.may_open, std::uint32_t{0})});
}

/// Half a window that was read in a round trip or less is what the sender waits for.
void Mux::grow(Stream& stream, std::uint32_t read, Moment now) {
    if (stream.read_since == Moment{}) {
        stream.read_since = now;  // what had come before may have lain there for long
        return;
    }
    stream.read += read;
    if (stream.read < stream.window / 2) return;
    const auto took = now - std::exchange(stream.read_since, now);
    stream.read = 0;
    if (!round_trip_ || took > *round_trip_) return;
    const auto wider = std::min<std::uint64_t>(2ULL * stream.window, limits_.window_bytes_max);
    if (wider <= stream.window) return;
    const std::uint64_t by = wider - stream.window;
    if (grown_bytes_ + by > limits_.grown_bytes_max) return;
    if (limits_.budget && limits_.budget->is_scarce()) return;
    grown_bytes_ += by;
    stream.may_open += static_cast<std::uint32_t>(by);
    stream.window = static_cast<std::uint32_t>(wider);
}

bool Mux::ended(StreamId id) const {
    const Stream* stream = find(id);
    return stream != nullptr && stream->peer_finished && stream->incoming.empty();
}

bool Mux::was_reset(StreamId id) const {
    const Stream* stream = find(id);
    return stream != nullptr && stream->reset;
}

bool Mux::over(StreamId id) const {
    const Stream* stream = find(id);
    return stream != nullptr && stream->over() && stream->incoming.empty();
}

std::uint32_t Mux::window(StreamId id) const {
    const Stream* stream = find(id);
    return stream == nullptr ? 0 : stream->window;
}

void Mux::close(StreamId id) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    if (!found->second.over()) {
        owe({.kind = FrameKind::window, .flags = frame_flag::reset, .stream = id});
    }
    grown_bytes_ -= found->second.window - window_bytes_first;
    let_go(found->second, found->second.incoming.size());
    streams_.erase(found);
}

void Mux::ping(Moment now) {
    if (ping_sent_ || fault_) return;
    ping_sent_ = now;
    owe({.kind = FrameKind::ping, .flags = frame_flag::open, .length = ping_value_});
}

void Mux::expect(Moment now) {
    expected_ = true;
    (void)look(now);
}

bool Mux::look(Moment now) {
    if (!expected_ || doubted_since_ || fault_ || now - heard_ <= limits_.quiet_max) return false;
    doubted_since_ = now;
    ping(now);
    return true;
}

bool Mux::overdue(Moment now) const {
    return ping_sent_ && now - std::max(*ping_sent_, heard_) > limits_.pong_wait_max;
}

void Mux::go_away() {
    if (going_) return;
    going_ = true;
    owe({.kind = FrameKind::go_away});
}

void Mux::mark_changed(StreamId id, Stream& stream) {
    if (stream.changed) return;
    stream.changed = true;
    changed_.push_back(id);
}

/// Gives the stream a turn when it has something that may be sent.
void Mux::queue(StreamId id, Stream& stream) {
    const bool data = !stream.outgoing.empty() || stream.offered;
    const bool ready = data ? stream.may_send > 0 : stream.finishing && !stream.finished;
    if (stream.queued || stream.reset || !ready) return;
    stream.queued = true;
    const bool bulk = stream.outgoing.size() > short_bytes_max || (stream.offered && stream.bulk);
    (bulk ? long_ : short_).push_back(id);
}

/// How much its next frame can have: a stream that is alone has a batch to itself.
std::size_t Mux::frame_room(const Stream& stream) const {
    const bool alone = short_.empty() && long_.empty();
    return static_cast<std::size_t>(std::min<std::uint64_t>(
        stream.may_send, alone ? batch_bytes_max : limits_.frame_bytes_max));
}

/// One frame of the stream, and its end when nothing is left behind it.
void Mux::send_some(std::string& out, StreamId id, Stream& stream) {
    const auto count =
        static_cast<std::uint32_t>(std::min(stream.outgoing.size(), frame_room(stream)));
    if (count > 0) {
        append_frame_header(out, {.kind = FrameKind::data, .stream = id, .length = count});
        out.append(stream.outgoing.front().substr(0, count));
        stream.outgoing.drop(count);
        stream.may_send -= count;
    } else if (stream.offered) {
        send_offered(out, id, stream);
    }
    if (stream.outgoing.empty() && !stream.offered && stream.finishing && !stream.finished) {
        append_frame_header(out,
                            {.kind = FrameKind::window, .flags = frame_flag::end, .stream = id});
        stream.finished = true;
        mark_changed(id, stream);
    }
    if (stream.full && stream.outgoing.size() <= limits_.waiting_bytes_max / 2) {
        stream.full = false;
        mark_changed(id, stream);
    }
}

/// One frame of what there is, read to where it is sent from.
void Mux::send_offered(std::string& out, StreamId id, Stream& stream) {
    const std::size_t most = frame_room(stream);
    const std::size_t header = out.size();
    append_frame_header(out, {.kind = FrameKind::data, .stream = id});
    const std::size_t body = out.size();
    std::size_t got = 0;
    out.resize_and_overwrite(body + most, [&](char* all, std::size_t) {
        got = bytes_->get(id, all + body, most);
        return body + got;
    });
    stream.offered = got == most;
    stream.bulk = got > short_bytes_max;
    if (got == 0) return out.resize(header);
    set_frame_length(out.data() + header, static_cast<std::uint32_t>(got));
    stream.may_send -= got;
}

std::size_t Mux::take(std::string& out, std::size_t bytes_max) {
    const std::size_t before = out.size();
    out += owed_;
    owed_.clear();
    // Short messages have half of a batch to themselves, so that no number of them stops bulk.
    bool short_turn = true;
    while (!fault_ && out.size() - before < bytes_max && !(short_.empty() && long_.empty())) {
        short_turn = short_turn && !short_.empty() && out.size() - before < bytes_max / 2;
        auto& line = short_turn || long_.empty() ? short_ : long_;
        const StreamId id = line.front();
        line.pop_front();
        Stream* stream = find(id);
        if (stream == nullptr) continue;
        stream->queued = false;
        if (stream->reset) continue;
        send_some(out, id, *stream);
        queue(id, *stream);
    }
    return out.size() - before;
}

}  // namespace berth::tunnel
