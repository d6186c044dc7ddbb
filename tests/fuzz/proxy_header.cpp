// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a PROXY header from a proxy in front. What names two ends is written and read back
// as the same, and no prefix of a whole header is a verdict of its own.
#include "sentinel/proxy/proxy_protocol.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::sentinel;
    const std::string_view all(reinterpret_cast<const char*>(bytes), count);
    const auto header = read_proxy_header(all);
    if (header.bytes > count) std::abort();
    if (header.bytes > 0 &&
        read_proxy_header(all.substr(0, header.bytes - 1)).state != ProxyState::need_more) {
        std::abort();
    }
    if (header.state != ProxyState::proxied) return 0;
    const auto again = read_proxy_header(proxy_header(header.ends, "ada.example"));
    if (again.state != ProxyState::proxied || !(again.ends == header.ends)) std::abort();
    return 0;
}
