// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/nvidia.h"

#include "host/gpu/attributes.h"

#include <algorithm>

namespace berth::gpu::nvidia {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t minor_max = 0xfffff;  // of dev_t in the kernel

fs::path driver_of(const Roots& roots) {
    return roots.proc / "driver" / "nvidia";
}

fs::path mig_of(int minor, const Roots& roots) {
    return driver_of(roots) / "capabilities" / ("gpu" + std::to_string(minor)) / "mig";
}

std::optional<std::int64_t> number_field(
    const std::map<std::string, std::string, std::less<>>& from, std::string_view name) {
    const auto found = from.find(name);
    return found == from.end() ? std::nullopt : number(found->second);
}

std::optional<std::string> text_field(const std::map<std::string, std::string, std::less<>>& from,
                                      std::string_view name) {
    const auto found = from.find(name);
    // A GPU that has not been started yet has question marks for what it would tell.
    if (found == from.end() || found->second.empty() || found->second.contains('?'))
        return std::nullopt;
    return found->second;
}

std::vector<MigInstance> instances_of(int minor, const Roots& roots) {
    std::vector<MigInstance> instances;
    const fs::path mig = mig_of(minor, roots);
    for (const auto& gi : names_in(mig)) {
        const auto gpu_instance = number_after(gi, "gi");
        if (!gpu_instance) continue;
        for (const auto& ci : names_in(mig / gi)) {
            const auto compute_instance = number_after(ci, "ci");
            if (compute_instance)
                instances.push_back(
                    {.gpu_instance = *gpu_instance, .compute_instance = *compute_instance});
        }
    }
    std::ranges::sort(instances, {}, [](const MigInstance& one) {
        return std::pair(one.gpu_instance, one.compute_instance);
    });
    return instances;
}

}  // namespace

std::map<std::string, std::string, std::less<>> fields(std::string_view text) {
    std::map<std::string, std::string, std::less<>> found;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        found.emplace(trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
    }
    return found;
}

NvidiaFacts facts_in(std::string_view information) {
    const auto told = fields(information);
    NvidiaFacts facts{.uuid = text_field(told, "GPU UUID"), .model = text_field(told, "Model")};
    const auto minor = number_field(told, "Device Minor");
    if (minor && *minor >= 0 && *minor <= minor_max) facts.minor = static_cast<int>(*minor);
    return facts;
}

std::optional<std::string> version_in(std::string_view version) {
    const auto told = text_field(fields(version), "NVRM version");
    if (!told) return std::nullopt;
    // Among words and a date, the version is the one word of digits and dots that has a dot.
    std::string_view rest = *told;
    while (!rest.empty()) {
        const auto end = std::min(rest.find(' '), rest.size());
        const auto word = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (word.contains('.') && word.find_first_not_of("0123456789.") == std::string_view::npos)
            return std::string(word);
    }
    return std::nullopt;
}

std::optional<Capability> capability_in(std::string_view access) {
    constexpr std::int64_t mode_max = 07777;
    const auto told = fields(access);
    const auto minor = number_field(told, "DeviceFileMinor");
    const auto mode = number_field(told, "DeviceFileMode");  // in decimal: 292 is 0444
    if (!minor || *minor < 0 || *minor > minor_max) return std::nullopt;
    if (!mode || *mode < 0 || *mode > mode_max) return std::nullopt;
    return Capability{.minor = static_cast<std::uint32_t>(*minor),
                      .mode = static_cast<mode_t>(*mode)};
}

std::optional<std::uint32_t> major_in(std::string_view devices, std::string_view name) {
    constexpr std::int64_t major_max = 0xfff;
    const auto blocks = devices.find("Block devices:");
    std::string_view rest = devices.substr(0, blocks);
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        const auto line = trimmed(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        const auto blank = line.find(' ');
        if (blank == std::string_view::npos || trimmed(line.substr(blank)) != name) continue;
        const auto major = number(line.substr(0, blank));
        if (major && *major > 0 && *major <= major_max) return static_cast<std::uint32_t>(*major);
    }
    return std::nullopt;
}

std::optional<NvidiaFacts> facts_of(const PciAddress& address, const Roots& roots) {
    const auto text = attribute(driver_of(roots) / "gpus" / address.to_string() / "information");
    if (!text) return std::nullopt;
    auto facts = facts_in(*text);
    if (facts.minor) facts.mig = instances_of(*facts.minor, roots);
    return facts;
}

std::optional<Capability> capability_of(int minor, int gpu_instance, int compute_instance,
                                        const Roots& roots) {
    fs::path at = mig_of(minor, roots) / ("gi" + std::to_string(gpu_instance));
    if (compute_instance >= 0) at /= "ci" + std::to_string(compute_instance);
    const auto text = attribute(at / "access");
    return text ? capability_in(*text) : std::nullopt;
}

}  // namespace berth::gpu::nvidia
