// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what Containarium's hosts say in clear. A hello that is read has an id and ports,
// and an answer is one line.
#include "sentinel/tunnel/containarium_hello.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::sentinel;
    const std::string_view text(reinterpret_cast<const char*>(bytes), count);
    const auto read = read_containarium_hello(text);
    if (!read) {
        const std::string answer = containarium_answer(read.error());
        if (answer.find('\n') != answer.size() - 1) std::abort();
        return 0;
    }
    if (!*read) return count < containarium_hello_bytes_max ? 0 : (std::abort(), 1);
    const auto& [hello, size] = **read;
    if (size > count || hello.host.empty() || hello.ports.empty()) std::abort();
    if (!hello.hostname.empty() && (hello.pool.empty() || hello.port == 0)) std::abort();
    return 0;
}
