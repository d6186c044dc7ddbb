// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what a tunnel's other end sends. However it is cut into arrivals the session is the
// same, what is answered and held is bounded, and an error stays one.
#include "tunnel/mux.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::tunnel;
    const std::string_view all(reinterpret_cast<const char*>(bytes), count);
    const Moment now{std::chrono::hours(1)};
    Mux whole(MuxSide::even);
    Mux pieces(MuxSide::even);
    const bool good = whole.feed(all, now).has_value();
    bool piecewise = true;
    for (std::size_t at = 0; at < count; ++at) {
        piecewise = pieces.feed(all.substr(at, 1), now).has_value();
    }
    if (good != piecewise || whole.stream_count() != pieces.stream_count()) std::abort();
    while (const auto id = whole.accept()) {
        if (pieces.accept() != id || whole.received(*id) != pieces.received(*id)) std::abort();
        if (whole.received(*id).size() > window_bytes_first) std::abort();
        whole.consume(*id, whole.received(*id).size(), now);
        pieces.consume(*id, pieces.received(*id).size(), now);
    }
    std::string answer;
    std::string other_answer;
    (void)whole.take(answer);
    (void)pieces.take(other_answer);
    if (answer != other_answer) std::abort();
    if (!good && whole.feed({}, now)) std::abort();
    return 0;
}
