// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/gpu.h"

#include "host/gpu/attributes.h"

#include <fmt/format.h>

namespace berth::gpu {

Vendor Gpu::maker() const {
    constexpr std::uint16_t nvidia_id = 0x10de, amd_id = 0x1002, intel_id = 0x8086;
    if (vendor_id == nvidia_id) return Vendor::nvidia;
    if (vendor_id == amd_id) return Vendor::amd;
    return vendor_id == intel_id ? Vendor::intel : Vendor::other;
}

std::string_view to_string(Vendor vendor) {
    switch (vendor) {
        case Vendor::nvidia:
            return "nvidia";
        case Vendor::amd:
            return "amd";
        case Vendor::intel:
            return "intel";
        case Vendor::other:
            return "other";
    }
    std::unreachable();
}

std::string Chosen::to_string() const {
    if (!mig) return address.to_string();
    return fmt::format("{}/mig/{}/{}", address.to_string(), mig->first, mig->second);
}

Result<Chosen> Chosen::parse(std::string_view text) {
    const auto wrong = [&] {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{}' is no GPU in its stored form, for example 0000:41:00.0 or "
                                "0000:41:00.0/mig/1/0",
                                text));
    };
    constexpr std::string_view separator = "/mig/";
    const auto at = text.find(separator);
    const auto address = PciAddress::parse(text.substr(0, at));
    if (!address) return wrong();
    if (at == std::string_view::npos) return Chosen{.address = *address};
    const auto numbers = text.substr(at + separator.size());
    const auto slash = numbers.find('/');
    if (slash == std::string_view::npos) return wrong();
    const auto gpu_instance = number_after(numbers.substr(0, slash), "");
    const auto compute_instance = number_after(numbers.substr(slash + 1), "");
    if (!gpu_instance || !compute_instance) return wrong();
    Chosen chosen{.address = *address, .mig = std::pair(*gpu_instance, *compute_instance)};
    return chosen.to_string() == text ? Result<Chosen>(chosen) : wrong();
}

}  // namespace berth::gpu
