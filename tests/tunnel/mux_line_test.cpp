// SPDX-License-Identifier: Apache-2.0
// One stream over a long line, whose time is told and not waited for.
#include "tests/support/catch.h"
#include "tunnel/mux.h"

#include <deque>
#include <string>

using namespace berth;
using namespace berth::tunnel;
using namespace std::chrono_literals;

namespace {

constexpr auto one_way = 40ms;
constexpr std::ptrdiff_t bytes_per_ms = 25'000;  // 200 Mbit/s

/// What is under way from one mux to the other.
class Line {
public:
    Line(Mux& from, Mux& to) : from_(from), to_(to) {}

    void turn(Moment now) {
        // What a batch is over the rate is taken off the next milliseconds.
        credit_ = std::min(credit_, std::ptrdiff_t{0}) + bytes_per_ms;
        while (credit_ > 0) {
            std::string some;
            const std::size_t taken = from_.take(some, static_cast<std::size_t>(credit_));
            if (taken == 0) break;
            credit_ -= static_cast<std::ptrdiff_t>(taken);
            under_way_.push_back({now + one_way, std::move(some)});
        }
        for (; !under_way_.empty() && under_way_.front().due <= now; under_way_.pop_front()) {
            REQUIRE(to_.feed(under_way_.front().bytes, now));
        }
    }

private:
    struct Some {
        Moment due;
        std::string bytes;
    };
    Mux& from_;
    Mux& to_;
    std::ptrdiff_t credit_ = 0;
    std::deque<Some> under_way_;
};

}  // namespace

TEST_CASE("one stream fills a line of 80 ms and 200 Mbit/s", "[tunnel]") {
    Mux sender(MuxSide::odd);
    Mux reader(MuxSide::even);
    Line there(sender, reader);
    Line back(reader, sender);
    const auto stream = sender.open().value();
    reader.ping(Moment{1h});
    std::size_t carried = 0;
    constexpr auto time = 10s;
    for (Moment now{1h}; now < Moment{1h} + time; now += 1ms) {
        (void)sender.write(stream, std::string(sender.room(stream), 'x'));
        back.turn(now);
        there.turn(now);
        const auto some = reader.received(stream).size();
        reader.consume(stream, some, now);
        carried += some;
    }
    CHECK(reader.round_trip() == 2 * one_way);
    const auto line = static_cast<std::size_t>(bytes_per_ms * (time / 1ms));
    CHECK(carried > line * 9 / 10);
    // What is under way in a round trip: twice that at least, and no more than four times.
    const auto under_way = static_cast<std::size_t>(bytes_per_ms * (2 * one_way / 1ms));
    CHECK(reader.window(stream) >= 2 * under_way);
    CHECK(reader.window(stream) <= 4 * under_way);
}
