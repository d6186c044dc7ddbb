// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what netlink answers to a batch of ours.
#include "host/net/nft_elements.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::net;
    BatchAnswers answers;
    const auto* text = reinterpret_cast<const char*>(bytes);  // NOLINT: the fuzzer's own type
    const auto read = read_answers({text, count}, answers);
    constexpr int errno_max = 4095;
    constexpr std::size_t answer_bytes = 36;
    const bool sound = answers.error >= 0 && answers.error <= errno_max &&
                       answers.acknowledged <= count / answer_bytes;
    if (!sound || (!read && read.error().message.empty())) std::abort();
    return 0;
}
