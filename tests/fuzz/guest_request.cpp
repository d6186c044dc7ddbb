// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what a container sends on its own socket. More bytes never make less of it.
#include "host/guest/guest_http.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::guest;
    const std::string text(reinterpret_cast<const char*>(bytes), count);
    const auto asked = read_request(text);
    const bool waits = asked == Asked::need_more;
    if (waits && count >= request_bytes_max) std::abort();
    if (!waits && asked != Asked::too_long && read_request(text + "x") != asked) std::abort();
    if (!waits && asked != Asked::about && !refusal(asked).starts_with("HTTP/1.1 ")) std::abort();
    return 0;
}
