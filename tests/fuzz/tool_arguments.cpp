// SPDX-License-Identifier: Apache-2.0
// Fuzz target: every generated decoder, on whatever JSON parses. A refusal names a field or the
// whole.
#include "tools/tools.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth;
    const auto json = parse_json(std::string_view(reinterpret_cast<const char*>(bytes), count));
    if (!json) return 0;
    tools::for_each_tool([&json](auto tool) {
        const auto input = decltype(tool)::decode(*json);
        if (!input &&
            (input.error().code != ErrorCode::invalid_argument || input.error().message.empty()))
            std::abort();
    });
    return 0;
}
