// SPDX-License-Identifier: Apache-2.0
// Fuzz target: users as a container's files have them. The input is both files at once.
#include "host/agent/passwd.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::agent;
    const std::string text(reinterpret_cast<const char*>(bytes), count);
    User user{};
    if (!find_user(text.c_str(), text.c_str(), "ada", user)) return 0;
    const bool sound = user.group_count >= 1 && user.group_count <= groups_max &&
                       std::memchr(user.home, 0, sizeof(user.home)) != nullptr &&
                       std::memchr(user.shell, 0, sizeof(user.shell)) != nullptr;
    if (!sound) std::abort();
    return 0;
}
