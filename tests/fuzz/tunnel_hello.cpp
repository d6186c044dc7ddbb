// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what hosts and sentinels say before a tunnel, and in front of each stream. What is
// read is what would be written, and no more of the bytes is taken than it was.
#include "tunnel/hello.h"
#include "tunnel/stream_opening.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::tunnel;
    const std::string_view text(reinterpret_cast<const char*>(bytes), count);
    if (const auto read = read_hello(text); read && *read) {
        const auto& [hello, size] = **read;
        const auto again = read_hello(encode(hello));
        if (size > count || !again || !*again || (*again)->value != hello) std::abort();
        if (!hello.hostname.empty() && hello.port == 0) std::abort();
    }
    if (const auto read = read_answer(text); read && *read) {
        const auto& [answer, size] = **read;
        if (size > count || (answer.session == 0) != answer.error.has_value()) std::abort();
    }
    if (const auto read = read_opening(text); read.state == OpeningState::read) {
        const auto again = read_opening(encode(read.opening));
        if (read.bytes > count || again.state != OpeningState::read ||
            again.opening != read.opening) {
            std::abort();
        }
    }
    return 0;
}
