// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what drivers and the kernel write of GPUs: NVIDIA's files and tool, /proc/devices,
// and device events. The first byte says which.
#include "host/gpu/attributes.h"
#include "host/gpu/nvidia.h"
#include "host/gpu/nvidia_smi.h"
#include "host/gpu/uevent.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::gpu;
    if (count == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, count - 1);
    constexpr std::uint32_t minor_max = 0xfffff, major_max = 0xfff;
    switch (bytes[0]) {
        case 'i': {
            const auto facts = nvidia::facts_in(text);
            if (facts.minor && *facts.minor < 0) std::abort();
            if (facts.uuid && facts.uuid->contains('?')) std::abort();
            break;
        }
        case 'v': {
            const auto version = nvidia::version_in(text);
            if (version && !version->contains('.')) std::abort();
            break;
        }
        case 'c': {
            const auto capability = nvidia::capability_in(text);
            if (capability && capability->minor > minor_max) std::abort();
            break;
        }
        case 'd': {
            const auto major = nvidia::major_in(text, "nvidia-uvm");
            if (major && (*major == 0 || *major > major_max)) std::abort();
            break;
        }
        case 'n': {
            const auto numbers = device_numbers(text);
            if (numbers && (numbers->first > major_max || numbers->second > minor_max))
                std::abort();
            break;
        }
        case 's':
            for (const auto& report : parse_smi(text)) {
                if (report.memory_bytes.value_or(1) <= 0) std::abort();
                if (report.uncorrected_errors.value_or(0) < 0) std::abort();
            }
            break;
        default: {
            const auto event = parse_uevent(text);
            if (event && (event->action.empty() || !event->path.starts_with('/'))) std::abort();
            if (event) (void)concerns_gpus(*event);
        }
    }
    return 0;
}
