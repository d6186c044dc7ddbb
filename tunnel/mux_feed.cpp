// SPDX-License-Identifier: Apache-2.0
// What the peer sends: it is believed nothing. A frame for a stream that is gone is passed over,
// since it may have been on its way; what breaks the rules of a session ends the session.
#include "tunnel/mux.h"

#include <algorithm>

namespace berth::tunnel {

namespace {

constexpr std::uint32_t reason_protocol_error = 1;

}  // namespace

Result<> Mux::feed(std::string_view bytes, Moment now) {
    if (!bytes.empty()) {
        heard_ = now;
        expected_ = false;
        doubted_since_.reset();
    }
    while (!fault_ && !bytes.empty()) {
        if (body_left_ > 0) {
            const auto part = bytes.substr(0, body_left_);
            bytes.remove_prefix(part.size());
            body_left_ -= static_cast<std::uint32_t>(part.size());
            body_arrived(part, now);
            continue;
        }
        const auto part = bytes.substr(0, frame_header_bytes - header_.size());
        bytes.remove_prefix(part.size());
        header_ += part;
        if (header_.size() < frame_header_bytes) break;
        const auto header = read_frame_header(header_);
        header_.clear();
        if (!header) return broken("sent what is no frame");
        if (auto read = header_arrived(*header, now); !read) return read;
        if (owed_.size() > limits_.owed_bytes_max) return broken("asks and does not read answers");
    }
    if (fault_) return std::unexpected(*fault_);
    return {};
}

std::unexpected<Error> Mux::broken(std::string_view what) {
    fault_ = Error{.code = ErrorCode::invalid_argument,
                   .message = "the other end of the tunnel " + std::string(what),
                   .hint = "close the connection; the tunnel's client dials again"};
    owe({.kind = FrameKind::go_away, .length = reason_protocol_error});
    return std::unexpected(*fault_);
}

Result<> Mux::header_arrived(const FrameHeader& header, Moment now) {
    if (header.kind == FrameKind::ping) {
        pinged(header, now);
        return {};
    }
    if (header.kind == FrameKind::go_away) {
        peer_is_going_ = true;
        return {};
    }
    if ((header.flags & frame_flag::open) != 0) {
        if (auto opened = opened_by_peer(header.stream); !opened) return opened;
    }
    if ((header.flags & frame_flag::reset) != 0) peer_reset(header.stream);
    if (header.kind == FrameKind::data) return data_announced(header, now);
    return window_opened(header);
}

Result<> Mux::opened_by_peer(StreamId id) {
    const StreamId parity = side_ == MuxSide::odd ? 0 : 1;
    if (id % 2 != parity) return broken("opened a stream with a number of ours");
    if (id <= peer_id_last_) return broken("opened a stream twice");
    peer_id_last_ = id;
    if (going_ || streams_.size() >= limits_.streams_max ||
        backlog_.size() >= limits_.backlog_max) {
        owe({.kind = FrameKind::window, .flags = frame_flag::reset, .stream = id});
        return {};
    }
    streams_.try_emplace(id);
    backlog_.push_back(id);
    return {};
}

Result<> Mux::data_announced(const FrameHeader& header, Moment now) {
    Stream* stream = find(header.stream);
    if (stream != nullptr && !stream->reset) {
        if (stream->peer_finished) return broken("sent data behind a stream's end");
        if (header.length > stream->may_receive) return broken("sent more than a stream's window");
        stream->may_receive -= header.length;
    } else if (header.length > limits_.window_bytes_max) {
        return broken("sent more than any stream's window");
    }
    current_ = header;
    body_left_ = header.length;
    if (body_left_ == 0) body_arrived({}, now);
    return {};
}

void Mux::body_arrived(std::string_view bytes, Moment now) {
    Stream* stream = find(current_.stream);
    if (stream == nullptr || stream->reset) return;
    if (bytes_ != nullptr && stream->incoming.empty() && !bytes.empty()) {
        const std::size_t put = bytes_->put(current_.stream, bytes);
        bytes.remove_prefix(put);
        was_read(current_.stream, *stream, static_cast<std::uint32_t>(put), now);
    }
    if (!bytes.empty()) keep(current_.stream, *stream, bytes);
    if (body_left_ == 0 && (current_.flags & frame_flag::end) != 0) peer_finished(current_.stream);
}

/// What nobody takes yet waits, while there is memory for it; then its stream is ended instead.
void Mux::keep(StreamId id, Stream& stream, std::string_view bytes) {
    if (limits_.budget && limits_.budget->is_spent()) {
        owe({.kind = FrameKind::window, .flags = frame_flag::reset, .stream = id});
        return peer_reset(id);
    }
    const std::size_t before = stream.incoming.footprint();
    stream.incoming.append(bytes);
    recount(stream, before);
    mark_changed(id, stream);
}

void Mux::let_go(Stream& stream, std::size_t count) {
    const std::size_t before = stream.incoming.footprint();
    stream.incoming.drop(count);
    recount(stream, before);
}

void Mux::recount(const Stream& stream, std::size_t footprint_before) {
    const std::size_t now = stream.incoming.footprint();
    held_bytes_ += now - footprint_before;  // which may be less than nothing
    if (!limits_.budget || now == footprint_before) return;
    if (now > footprint_before) return limits_.budget->take(now - footprint_before);
    limits_.budget->give_back(footprint_before - now);
}

Result<> Mux::window_opened(const FrameHeader& header) {
    Stream* stream = find(header.stream);
    if (stream == nullptr || stream->reset) return {};
    if (stream->may_send + header.length > 0xffffffff) return broken("opened a window too far");
    stream->may_send += header.length;
    queue(header.stream, *stream);
    if ((header.flags & frame_flag::end) != 0) peer_finished(header.stream);
    return {};
}

void Mux::peer_finished(StreamId id) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->peer_finished) return;
    stream->peer_finished = true;
    mark_changed(id, *stream);
}

void Mux::peer_reset(StreamId id) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->reset) return;
    stream->reset = true;
    let_go(*stream, stream->incoming.size());
    stream->outgoing.clear();
    mark_changed(id, *stream);
}

void Mux::pinged(const FrameHeader& header, Moment now) {
    if ((header.flags & frame_flag::open) != 0) {
        owe({.kind = FrameKind::ping, .flags = frame_flag::accept, .length = header.length});
        return;
    }
    if ((header.flags & frame_flag::accept) == 0 || !ping_sent_ || header.length != ping_value_) {
        return;  // an answer to nothing is nothing
    }
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(now - *ping_sent_);
    round_trip_ = round_trip_ ? (*round_trip_ * 7 + took) / 8 : took;
    ping_sent_.reset();
    ++ping_value_;
}

}  // namespace berth::tunnel
