// SPDX-License-Identifier: Apache-2.0
// Fuzz target: two ends of a tunnel, and any order of what both do. The input is a list of steps of
// two bytes. What is read from a stream is the beginning of what was written to it, and all of it
// in the end; neither end ever finds fault with the other.
#include "tunnel/mux.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <vector>

namespace {

using namespace berth::tunnel;

struct End final : StreamBytes {
    explicit End(MuxSide side) : mux(side, {}, this) {}
    std::size_t put(StreamId id, std::string_view bytes) override {
        const auto some = bytes.substr(0, room);
        room -= some.size();
        read[id] += some;
        return some.size();
    }
    std::size_t get(StreamId id, char* to, std::size_t bytes_max) override {
        const std::size_t count = offered[id].copy(to, bytes_max);
        written[id] += offered[id].substr(0, count);
        offered[id].erase(0, count);
        return count;
    }
    Mux mux;
    std::string wire;  // on its way to the other end
    std::map<StreamId, std::string> written, offered, read;
    std::size_t room = 0;  // for what is read without a stop
};

class Session {
public:
    void step(std::uint8_t what, std::uint8_t how) {
        now_ += std::chrono::milliseconds(how);
        End& end = what % 2 == 0 ? odd_ : even_;
        End& other = what % 2 == 0 ? even_ : odd_;
        if (!streams_.empty()) stream_ = streams_[how % streams_.size()];
        switch (what / 2 % 8) {
            case 0:
                if (const auto id = end.mux.open()) streams_.push_back(*id);
                break;
            case 1:
                if (how < 0x80) {
                    write(end, std::size_t{1} << how % 19U);
                } else {
                    offer(end, std::size_t{1} << how % 19U);
                }
                break;
            case 2:
                if (how >= 0x80) end.room += std::size_t{how} << 8U;
                read(end, std::size_t{how} << 10U);
                break;
            case 3:
                end.mux.finish(stream_);
                break;
            case 4:
                (void)end.mux.take(end.wire, how);
                break;
            case 5:
                carry(end, other, std::size_t{1} << how % 19U);  // cut anywhere
                break;
            case 6:
                end.mux.ping(now_);
                break;
            default:
                (void)end.mux.accept();
                break;
        }
    }

    void settle() {
        for (int idle = 0; idle < 2; ++idle) {
            for (auto [end, other] : {std::pair(&odd_, &even_), std::pair(&even_, &odd_)}) {
                (void)end->mux.take(end->wire);
                if (!end->wire.empty()) idle = -1;
                carry(*end, *other, end->wire.size());
                for (const auto id : streams_) {
                    stream_ = id;
                    read(*other, other->mux.received(id).size());
                }
            }
        }
        for (const auto id : streams_) {
            if (odd_.written[id] != even_.read[id] || even_.written[id] != odd_.read[id])
                std::abort();
        }
    }

private:
    std::string some_bytes(std::size_t count) {
        std::string some(count, '\0');
        for (char& byte : some) byte = static_cast<char>(next_byte_++ % 251);
        return some;
    }
    void offer(End& end, std::size_t count) {
        end.offered[stream_] += some_bytes(count);
        end.mux.offer(stream_);
    }
    void write(End& end, std::size_t count) {
        const std::string some = some_bytes(count);
        end.written[stream_] += some.substr(0, end.mux.write(stream_, some));
    }
    void read(End& end, std::size_t count) {
        const auto part = end.mux.received(stream_).substr(0, count);
        end.read[stream_] += part;
        end.mux.consume(stream_, part.size(), now_);
    }
    void carry(End& end, End& other, std::size_t count) {
        const auto part = end.wire.substr(0, count);
        end.wire.erase(0, part.size());
        if (!other.mux.feed(part, now_)) std::abort();
    }

    End odd_{MuxSide::odd};
    End even_{MuxSide::even};
    std::vector<StreamId> streams_;
    StreamId stream_ = 1;
    unsigned next_byte_ = 0;
    Moment now_{std::chrono::hours(1)};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    constexpr std::size_t bytes_max = 512;  // so that no backlog can overflow
    Session session;
    for (std::size_t at = 0; at + 1 < count && at < bytes_max; at += 2) {
        session.step(bytes[at], bytes[at + 1]);
    }
    session.settle();
    return 0;
}
