// SPDX-License-Identifier: Apache-2.0
// Fuzz target: records of the kernel's log, in which a container has chosen a process' name.
#include "host/container/oom_log.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    const std::string record(reinterpret_cast<const char*>(bytes), count);
    const auto kill = berth::container::oom_kill_of(record);
    if (kill && kill->process.size() > 60) std::abort();
    return 0;
}
