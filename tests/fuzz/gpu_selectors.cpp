// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a selector of GPUs. What it chooses is there, is named in the one spelling that is
// stored, and chosen again by that.
#include "host/gpu/selector.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

std::vector<berth::gpu::Gpu> machine() {
    using namespace berth::gpu;
    const auto gpu = [](std::uint8_t bus, Kind kind, std::uint16_t vendor) {
        return Gpu{.address = berth::PciAddress::of(0, bus, 0, 0),
                   .kind = kind,
                   .vendor_id = vendor,
                   .device_id = 1,
                   .vendor = "vendor",
                   .device = "model",
                   .driver = "driver",
                   .memory_bytes = 1LL << 34};
    };
    std::vector<Gpu> gpus{gpu(3, Kind::management, 0x1a03), gpu(0x0b, Kind::vga, 0x10de),
                          gpu(0x41, Kind::display, 0x1002)};
    gpus[1].nvidia = NvidiaFacts{.minor = 0,
                                 .uuid = "GPU-00000001-1111-2222-3333-000000000001",
                                 .mig = {{.gpu_instance = 1, .compute_instance = 0}}};
    return gpus;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::gpu;
    static const auto gpus = machine();
    const std::vector selectors{std::string(reinterpret_cast<const char*>(bytes), count)};
    const auto chosen = select(gpus, selectors);
    if (!chosen) return chosen.error().message.empty() ? (std::abort(), 1) : 0;
    if (!check_selector(selectors.front()) || chosen->empty()) std::abort();
    for (const auto& one : *chosen) {
        const auto text = one.to_string();
        const auto stored = Chosen::parse(text);
        const std::vector again{text};
        const auto found = select(gpus, again);
        if (!stored || *stored != one || !found || found->front() != one) std::abort();
    }
    return 0;
}
