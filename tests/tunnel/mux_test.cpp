// SPDX-License-Identifier: Apache-2.0
#include "tunnel/mux.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

using namespace berth;
using namespace berth::tunnel;
using namespace std::chrono_literals;

namespace {

const Moment start{1h};

std::string bytes(std::string_view hex) {
    std::string out;
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
        out += static_cast<char>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16));
    }
    return out;
}

std::string taken(Mux& mux) {
    std::string out;
    (void)mux.take(out);
    return out;
}

/// Carries what both have to say until neither has more.
void settle(Mux& one, Mux& other, Moment now = start) {
    for (bool moved = true; moved;) {
        const auto there = taken(one);
        REQUIRE(other.feed(there, now));
        const auto back = taken(other);
        REQUIRE(one.feed(back, now));
        moved = !there.empty() || !back.empty();
    }
}

std::string frame(const FrameHeader& header) {
    std::string out;
    append_frame_header(out, header);
    return out;
}

FrameHeader opening(StreamId id) {
    return {.kind = FrameKind::window, .flags = frame_flag::open, .stream = id};
}

struct Pair {
    Mux ours{MuxSide::odd};
    Mux theirs{MuxSide::even};
    StreamId stream = ours.open().value();
    Pair() {
        settle(ours, theirs);
        REQUIRE(theirs.accept() == stream);
        settle(ours, theirs);
    }
};

}  // namespace

TEST_CASE("the bytes are those of hashicorp/yamux", "[tunnel]") {
    Mux ours(MuxSide::odd);
    Mux theirs(MuxSide::even);
    const auto stream = ours.open().value();
    auto opened = taken(ours);
    CHECK(ours.write(stream, "\x1f\x90") == 2);
    opened += taken(ours);
    CHECK(ours.write(stream, "hello") == 5);
    opened += taken(ours);
    CHECK(opened == bytes("0001000100000001000000000000000000000001000000021f90"
                          "00000000000000010000000568656c6c6f"));

    REQUIRE(theirs.feed(opened, start));
    REQUIRE(theirs.accept() == stream);
    CHECK(theirs.received(stream) == "\x1f\x90hello");
    CHECK(theirs.write(stream, "world") == 5);
    CHECK(taken(theirs) == bytes("000100020000000100000000000000000000000100000005776f726c64"));

    ours.finish(stream);
    CHECK(taken(ours) == bytes("000100040000000100000000"));
    ours.ping(start);
    const auto ping = taken(ours);
    CHECK(ping == bytes("000200010000000000000000"));
    REQUIRE(theirs.feed(ping, start));
    CHECK(taken(theirs) == bytes("000200020000000000000000"));
}

TEST_CASE("each direction of a stream ends by itself", "[tunnel]") {
    Pair pair;
    REQUIRE(pair.ours.write(pair.stream, "a question") == 10);
    pair.ours.finish(pair.stream);
    settle(pair.ours, pair.theirs);
    CHECK(pair.theirs.received(pair.stream) == "a question");
    CHECK_FALSE(pair.theirs.ended(pair.stream));
    pair.theirs.consume(pair.stream, 10, start);
    CHECK(pair.theirs.ended(pair.stream));
    CHECK(pair.ours.room(pair.stream) == 0);

    const std::string answer(1U << 20U, 'x');  // four windows: read as it comes
    std::string got;
    for (std::size_t sent = 0; got.size() < answer.size();) {
        sent += pair.theirs.write(pair.stream, std::string_view(answer).substr(sent));
        if (sent == answer.size()) pair.theirs.finish(pair.stream);
        settle(pair.ours, pair.theirs);
        const auto part = pair.ours.received(pair.stream);
        REQUIRE_FALSE(part.empty());
        got += part;
        pair.ours.consume(pair.stream, part.size(), start);
    }
    CHECK(got == answer);
    CHECK(pair.ours.ended(pair.stream));
    pair.ours.close(pair.stream);
    pair.theirs.close(pair.stream);
    CHECK(taken(pair.ours).empty());  // no reset of what is over
    CHECK(taken(pair.theirs).empty());
}

TEST_CASE("a reset reaches the other side, and what still comes is passed over", "[tunnel]") {
    Pair pair;
    REQUIRE(pair.theirs.write(pair.stream, std::string(40'000, 'x')) == 40'000);
    const auto on_its_way = taken(pair.theirs);
    pair.ours.close(pair.stream);
    REQUIRE(pair.ours.feed(on_its_way, start));
    CHECK(pair.ours.stream_count() == 0);
    settle(pair.ours, pair.theirs);
    CHECK(pair.theirs.was_reset(pair.stream));
    CHECK(pair.theirs.room(pair.stream) == 0);
    REQUIRE(pair.ours.open());  // the session goes on
}

TEST_CASE("no more is sent than the window has, and reading opens it", "[tunnel]") {
    Pair pair;
    const std::string much(300'000, 'x');
    auto sent = pair.ours.write(pair.stream, much);
    CHECK(sent == MuxLimits{}.waiting_bytes_max);
    settle(pair.ours, pair.theirs);
    sent += pair.ours.write(pair.stream, std::string_view(much).substr(sent));
    CHECK(sent == much.size());
    settle(pair.ours, pair.theirs);
    CHECK(pair.theirs.received(pair.stream).size() == window_bytes_first);
    pair.theirs.consume(pair.stream, window_bytes_first / 2 - 1, start);
    CHECK(taken(pair.theirs).empty());  // half a window is worth telling, less is not
    pair.theirs.consume(pair.stream, 1, start);
    settle(pair.ours, pair.theirs);
    CHECK(pair.theirs.received(pair.stream).size() == much.size() - window_bytes_first / 2);
}

TEST_CASE("what was read is given again, also while a frame has not arrived whole", "[tunnel]") {
    Pair pair;
    const std::size_t cut = GENERATE(1'000U, 10'000U, 30'000U);  // where a read of the session ends
    std::size_t read = 0;
    std::size_t given = 0;
    const auto consume = [&](std::size_t count) {
        pair.theirs.consume(pair.stream, count, start);
        read += count;
    };
    const auto waiting = [&pair] { return pair.theirs.received(pair.stream).size(); };
    while (read < 4U << 20U) {
        (void)pair.ours.write(pair.stream, std::string(190'000, 'x'));
        const auto there = taken(pair.ours);
        for (std::size_t at = 0; at < there.size(); at += cut) {
            REQUIRE(pair.theirs.feed(std::string_view(there).substr(at, cut), start));
            // A reader who takes all, and then less than has come.
            consume(at / cut % 2 == 0 ? waiting() : waiting() / 2);
        }
        consume(waiting());
        const auto back = taken(pair.theirs);
        for (std::size_t at = 0; at < back.size(); at += frame_header_bytes) {
            given += read_frame_header(back.substr(at, frame_header_bytes))->length;
        }
        REQUIRE(pair.ours.feed(back, start));
        REQUIRE(given <= read);
        REQUIRE(read - given < window_bytes_first / 2);
    }
}

TEST_CASE("a window grows with the measured round trip, up to its bounds", "[tunnel]") {
    const auto wait = GENERATE(80ms, 400ms);  // between two openings of the window
    Pair pair;
    pair.theirs.ping(start);
    REQUIRE(pair.ours.feed(taken(pair.theirs), start));
    REQUIRE(pair.theirs.feed(taken(pair.ours), start + 80ms));
    REQUIRE(pair.theirs.round_trip() == 80ms);
    Moment now = start;
    for (int round = 0; round < 2000; ++round) {
        (void)pair.ours.write(pair.stream, std::string(256U << 10U, 'x'));
        settle(pair.ours, pair.theirs, now);
        const auto count = pair.theirs.received(pair.stream).size();
        if (count < pair.theirs.window(pair.stream) / 2) continue;
        now += wait;
        pair.theirs.consume(pair.stream, count, now);
    }
    // A reader who takes five round trips for half a window is not held up by its size.
    CHECK(pair.theirs.window(pair.stream) == (wait == 80ms ? 16U << 20U : window_bytes_first));
}

TEST_CASE("all windows of a session together grow by no more than their bound", "[tunnel]") {
    Mux ours(MuxSide::odd);
    Mux theirs(MuxSide::even, {.grown_bytes_max = window_bytes_first});
    theirs.ping(start);
    settle(ours, theirs);
    std::vector<StreamId> streams{ours.open().value(), ours.open().value()};
    for (int round = 0; round < 12; ++round) {
        for (const auto id : streams) (void)ours.write(id, std::string(256U << 10U, 'x'));
        settle(ours, theirs);
        for (const auto id : streams) theirs.consume(id, theirs.received(id).size(), start);
    }
    CHECK(theirs.window(streams[0]) + theirs.window(streams[1]) == 3 * window_bytes_first);
    for (const auto id : streams) theirs.close(id);
}

TEST_CASE("one reader who stands still among 1,000 stalls no other", "[tunnel]") {
    Mux ours(MuxSide::odd);
    Mux theirs(MuxSide::even, {.backlog_max = 1000});
    std::vector<StreamId> streams;
    for (int count = 0; count < 1000; ++count) streams.push_back(ours.open().value());
    for (const auto id : streams) REQUIRE(ours.write(id, std::string(1000, 'a')) == 1000);
    for (int times = 0; times < 3; ++times) {
        (void)ours.write(streams[0], std::string(256U << 10U, 'x'));
        settle(ours, theirs);
    }
    CHECK(theirs.received(streams[0]).size() == window_bytes_first);
    for (std::size_t at = 1; at < streams.size(); ++at) {
        REQUIRE(theirs.received(streams[at]).size() == 1000);
    }
}

TEST_CASE("a batch is large where there is much, and fair", "[tunnel]") {
    Mux ours(MuxSide::odd);
    const auto bulk = ours.open().value();
    const auto other_bulk = ours.open().value();
    const auto talk = ours.open().value();
    (void)taken(ours);
    (void)ours.write(bulk, std::string(200'000, 'x'));
    (void)ours.write(other_bulk, std::string(200'000, 'y'));
    (void)ours.write(talk, "hi");
    const auto batch = taken(ours);
    CHECK(batch.size() >= batch_bytes_max);
    CHECK(batch.size() < batch_bytes_max + MuxLimits{}.frame_bytes_max + frame_header_bytes);
    CHECK(read_frame_header(batch.substr(0, frame_header_bytes))->stream == talk);
    CHECK(std::ranges::count(batch, 'x') == std::ranges::count(batch, 'y'));
}

TEST_CASE("a peer who breaks the rules ends the session, and is told", "[tunnel]") {
    Mux mux(MuxSide::even);
    REQUIRE(mux.feed(frame(opening(1)), start));
    const auto bad =
        GENERATE(frame(opening(1)), frame(opening(2)), std::string("GET / HTTP/1"),
                 frame({.kind = FrameKind::data, .stream = 1, .length = window_bytes_first + 1}),
                 frame({.kind = FrameKind::data, .stream = 7, .length = 0xffffffff}),
                 frame({.kind = FrameKind::window, .stream = 1, .length = 0xffffffff}),
                 frame({.kind = FrameKind::window, .flags = frame_flag::end, .stream = 1}) +
                     frame({.kind = FrameKind::data, .stream = 1, .length = 1}));
    const auto fed = mux.feed(bad, start);
    REQUIRE_FALSE(fed);
    CHECK(taken(mux) == frame({.kind = FrameKind::go_away, .length = 1}));
    CHECK(mux.feed(frame(opening(3)), start).error().message == fed.error().message);
    CHECK_FALSE(mux.open());
}

TEST_CASE("pings that are not listened to end the session before they fill memory", "[tunnel]") {
    Mux mux(MuxSide::even);
    const auto ping = frame({.kind = FrameKind::ping, .flags = frame_flag::open});
    std::size_t asked = 0;
    while (mux.feed(ping, start)) ++asked;
    CHECK(asked == MuxLimits{}.owed_bytes_max / frame_header_bytes);
}

TEST_CASE("streams have bounds, and more are reset", "[tunnel]") {
    Mux mux(MuxSide::even, {.streams_max = 3, .backlog_max = 2});
    for (const StreamId id : {1U, 3U, 5U}) REQUIRE(mux.feed(frame(opening(id)), start));
    const auto refusal = [](StreamId id) {
        return frame({.kind = FrameKind::window, .flags = frame_flag::reset, .stream = id});
    };
    CHECK(taken(mux) == refusal(5));  // two wait to be accepted
    REQUIRE(mux.accept() == 1);
    REQUIRE(mux.open());
    (void)taken(mux);
    REQUIRE(mux.feed(frame(opening(7)), start));
    CHECK(taken(mux) == refusal(7));  // three are open
    CHECK(mux.open().error().code == ErrorCode::busy);
}

TEST_CASE("a session without a number left opens no stream", "[tunnel]") {
    Mux mux(MuxSide::odd, {.id_max = 3});
    REQUIRE(mux.open() == 1);
    REQUIRE(mux.open() == 3);
    CHECK(mux.open().error().code == ErrorCode::unavailable);
}

TEST_CASE("a session that goes away keeps its streams and takes no more", "[tunnel]") {
    Pair pair;
    pair.theirs.go_away();
    settle(pair.ours, pair.theirs);
    CHECK(pair.ours.peer_is_going());
    CHECK(pair.ours.open().error().code == ErrorCode::unavailable);
    REQUIRE(pair.ours.write(pair.stream, "still here") == 10);
    settle(pair.ours, pair.theirs);
    CHECK(pair.theirs.received(pair.stream) == "still here");
}

TEST_CASE("a peer who does not answer a ping is overdue", "[tunnel]") {
    Pair pair;
    pair.ours.ping(start);
    CHECK_FALSE(pair.ours.overdue(start + 10s));
    CHECK(pair.ours.overdue(start + 11s));
    settle(pair.ours, pair.theirs, start + 12s);
    CHECK_FALSE(pair.ours.overdue(start + 13s));
}

TEST_CASE("a peer of whom nothing was heard for long is asked as soon as it matters", "[tunnel]") {
    Pair pair;
    CHECK_FALSE(pair.ours.look(start + 1h));
    pair.ours.expect(start + 1s);
    CHECK_FALSE(pair.ours.doubted_since());
    CHECK(taken(pair.ours).empty());
    const bool again = GENERATE(false, true);
    if (again) {
        pair.ours.expect(start + 2s);
    } else {
        CHECK(pair.ours.look(start + 2s));
    }
    CHECK(pair.ours.doubted_since() == start + 2s);
    const auto ping = taken(pair.ours);
    CHECK(ping == bytes("000200010000000000000000"));
    SECTION("once") {
        pair.ours.expect(start + 3s);
        CHECK_FALSE(pair.ours.look(start + 4s));
        CHECK(pair.ours.doubted_since() == start + 2s);
        CHECK(taken(pair.ours).empty());
    }
    SECTION("and its answer is a sign of life") {
        REQUIRE(pair.theirs.feed(ping, start + 2s));
        settle(pair.ours, pair.theirs, start + 3s);
        CHECK_FALSE(pair.ours.doubted_since());
        CHECK_FALSE(pair.ours.look(start + 1h));
    }
    SECTION("and so is part of a frame, before the answer can come") {
        const std::string some = taken(pair.theirs) + frame(opening(2)).substr(0, 3);
        REQUIRE(pair.ours.feed(some, start + 12s));
        CHECK_FALSE(pair.ours.doubted_since());
        CHECK_FALSE(pair.ours.overdue(start + 22s));
        CHECK(pair.ours.overdue(start + 23s));
    }
}

namespace {

/// Streams whose bytes never stop in a mux: `there` is to be sent, `here` has arrived.
struct Direct final : StreamBytes {
    std::size_t put(StreamId id, std::string_view bytes) override {
        const auto some = bytes.substr(0, room);
        room -= some.size();
        here[id] += some;
        return some.size();
    }
    std::size_t get(StreamId id, char* to, std::size_t bytes_max) override {
        const std::size_t count = there[id].copy(to, bytes_max);
        there[id].erase(0, count);
        return count;
    }
    std::map<StreamId, std::string> there, here;
    std::size_t room = 1 << 30;  // of all streams
};

struct DirectPair {
    Direct our_bytes, their_bytes;
    Mux ours{MuxSide::odd, {}, &our_bytes};
    Mux theirs{MuxSide::even, {}, &their_bytes};
    StreamId stream = ours.open().value();
};

}  // namespace

TEST_CASE("bytes that are offered go from one end to the other without a stop", "[tunnel]") {
    DirectPair pair;
    const std::string all(3 * window_bytes_first + 5, 'b');
    (void)pair.ours.write(pair.stream, "before ");
    pair.our_bytes.there[pair.stream] = all;
    pair.ours.offer(pair.stream);
    settle(pair.ours, pair.theirs);
    CHECK(pair.their_bytes.here[pair.stream] == "before " + all);
    CHECK(pair.theirs.received(pair.stream).empty());
    SECTION("and those that come later need another offer") {
        pair.our_bytes.there[pair.stream] = "later";
        settle(pair.ours, pair.theirs);
        CHECK(pair.their_bytes.here[pair.stream].size() == all.size() + 7);
        pair.ours.offer(pair.stream);
        pair.ours.finish(pair.stream);
        settle(pair.ours, pair.theirs);
        CHECK(pair.their_bytes.here[pair.stream].ends_with("later"));
        CHECK(pair.theirs.ended(pair.stream));
    }
    SECTION("and there may be none") {
        pair.ours.offer(pair.stream);
        CHECK(taken(pair.ours).empty());
    }
}

TEST_CASE("what is offered waits for the window, and what is not taken for its reader",
          "[tunnel]") {
    DirectPair pair;
    pair.their_bytes.room = 100;
    pair.our_bytes.there[pair.stream] = std::string(2 * window_bytes_first, 'b');
    pair.ours.offer(pair.stream);
    settle(pair.ours, pair.theirs);
    CHECK(pair.our_bytes.there[pair.stream].size() == window_bytes_first);
    CHECK(pair.their_bytes.here[pair.stream].size() == 100);
    CHECK(pair.theirs.next_changed() == pair.stream);
    CHECK(pair.theirs.received(pair.stream).size() == window_bytes_first - 100);
    pair.their_bytes.room = 1 << 30;
    pair.theirs.consume(pair.stream, window_bytes_first - 100, start);
    settle(pair.ours, pair.theirs);
    CHECK(pair.our_bytes.there[pair.stream].empty());
    CHECK(pair.their_bytes.here[pair.stream].size() == 100 + window_bytes_first);
}

TEST_CASE("what readers leave has a bound over all sessions, beyond which a stream ends",
          "[tunnel]") {
    const auto budget = std::make_shared<MuxBudget>(std::uint64_t{1} << 20U);
    Mux sender{MuxSide::odd};
    {
        Mux receiver{MuxSide::even, {.budget = budget}};
        std::vector<StreamId> streams;
        const std::string window(window_bytes_first, 'x');
        do {
            streams.push_back(sender.open().value());
            REQUIRE(sender.write(streams.back(), window) == window.size());
            settle(sender, receiver);
            REQUIRE(streams.size() < 8);
        } while (!sender.was_reset(streams.back()));
        CHECK(streams.size() > 4);
        CHECK(receiver.was_reset(streams.back()));
        CHECK_FALSE(sender.was_reset(streams.front()));
        CHECK(receiver.received(streams.front()) == window);
        CHECK(budget->held() < std::uint64_t{3} << 20U);
        SECTION("and whoever reads makes room again") {
            receiver.consume(streams.front(), window.size(), start);
            receiver.close(streams.back());
            CHECK_FALSE(budget->is_spent());
            const StreamId again = sender.open().value();
            (void)sender.write(again, "there is room");
            settle(sender, receiver);
            CHECK(receiver.received(again) == "there is room");
        }
    }
    CHECK(budget->held() == 0);
}

TEST_CASE("a writer who had no room is told when there is some", "[tunnel]") {
    Pair pair;
    while (pair.ours.next_changed()) {
    }
    CHECK(pair.ours.write(pair.stream, std::string(1U << 20U, 'x')) == 256U << 10U);
    CHECK_FALSE(pair.ours.next_changed());
    settle(pair.ours, pair.theirs);
    CHECK(pair.ours.next_changed() == pair.stream);
    CHECK(pair.ours.room(pair.stream) > 0);
}
