// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the ClientHello. However the bytes are cut into arrivals, the verdict is the same,
// and a verdict once given needs no more bytes.
#include "sentinel/tls/client_hello.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::sentinel;
    const std::string_view all(reinterpret_cast<const char*>(bytes), count);
    HelloReader whole;
    const HelloState state = whole.read(all);
    for (const std::size_t step : {1U, 7U}) {
        HelloReader pieces;
        HelloState piecewise = pieces.read(all.substr(0, 0));
        for (std::size_t length = 1; piecewise == HelloState::need_more && length < count + step;
             length += step) {
            piecewise = pieces.read(all.substr(0, length));
        }
        if (piecewise != state || pieces.name().text() != whole.name().text()) std::abort();
    }
    const auto again = ServerName::parse(whole.name().text());
    if (state == HelloState::named && (!again || again->text() != whole.name().text()))
        std::abort();
    return 0;
}
