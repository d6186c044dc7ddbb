// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/inventory.h"
#include "host/tools/host_tools.h"
#include "tools/tools.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>

namespace berth::tools {
namespace {

constexpr std::uint16_t nvidia_id = 0x10de, amd_id = 0x1002, intel_id = 0x8086;

GpuList::Input::Vendor vendor_of(const gpu::Gpu& gpu) {
    using Vendor = GpuList::Input::Vendor;
    switch (gpu.vendor_id) {
        case nvidia_id:
            return Vendor::nvidia;
        case amd_id:
            return Vendor::amd;
        case intel_id:
            return Vendor::intel;
        default:
            return Vendor::other;
    }
}

Gpu to_gpu(const gpu::Gpu& gpu) {
    const auto kind = [&gpu] {
        switch (gpu.kind) {
            case gpu::Kind::vga:
                return Gpu::Kind::vga;
            case gpu::Kind::three_d:
                return Gpu::Kind::e_3d;
            case gpu::Kind::display:
                return Gpu::Kind::display;
            case gpu::Kind::accelerator:
                return Gpu::Kind::accelerator;
            case gpu::Kind::management:
            case gpu::Kind::emulated:
                return Gpu::Kind::vga;
        }
        std::unreachable();
    }();
    return {.address = gpu.address,
            .kind = kind,
            .vendor_id = fmt::format("{:04x}", gpu.vendor_id),
            .device_id = fmt::format("{:04x}", gpu.device_id),
            .vendor = gpu.vendor,
            .device = gpu.device,
            .driver = gpu.driver,
            .numa_node = gpu.numa_node,
            .iommu_group = gpu.iommu_group,
            .drm_nodes = gpu.drm_nodes};
}

SystemInfo::Output::CgroupLayout layout_of(engine::CgroupLayout layout) {
    using Layout = SystemInfo::Output::CgroupLayout;
    switch (layout) {
        case engine::CgroupLayout::unified:
            return Layout::unified;
        case engine::CgroupLayout::hybrid:
            return Layout::hybrid;
        case engine::CgroupLayout::legacy:
            return Layout::legacy;
    }
    std::unreachable();
}

std::string kernel_release() {
    utsname names{};
    return ::uname(&names) == 0 ? names.release : "unknown";
}

Result<SystemInfo::Output> info(container::ContainerService& containers,
                                const image::ImageStore& images, warning::Warnings& warnings,
                                const HostFacts& facts) {
    const auto views = BERTH_TRY(containers.list());
    std::vector<Image> found;
    for (const auto& image : BERTH_TRY(images.list())) {
        found.push_back({.name = ImageName::parse(image.name).value(),
                         .digest = image.digest,
                         .created_at = image.created_at});
    }
    return SystemInfo::Output{
        .version = facts.version,
        .kernel = kernel_release(),
        .engine = facts.engine,
        .cgroup_layout = layout_of(facts.cgroup_layout),
        .bridge = facts.bridge,
        .subnet = facts.subnet,
        .containers = static_cast<std::int64_t>(views.size()),
        .running = std::ranges::count(views, container::State::running, &container::View::state),
        .standby = static_cast<std::int64_t>(containers.waiting_room().count()),
        .images = std::move(found),
        .features = facts.features,
        .warnings = BERTH_TRY(warnings.count_new())};
}

}  // namespace

void bind_gpu_tools(ToolRegistry& registry, std::filesystem::path sysfs_root) {
    registry.bind<GpuList>([sysfs_root = std::move(sysfs_root)](
                               const GpuList::Input& in, const Call&) -> Result<GpuList::Output> {
        GpuList::Output out{.gpus = {}, .total = 0};
        for (const auto& gpu : BERTH_TRY(gpu::inventory({.sysfs = sysfs_root}))) {
            if (!in.vendor || vendor_of(gpu) == *in.vendor) out.gpus.push_back(to_gpu(gpu));
        }
        out.total = static_cast<std::int64_t>(out.gpus.size());
        return out;
    });
}

void bind_system_tools(ToolRegistry& registry, container::ContainerService& containers,
                       const image::ImageStore& images, warning::Warnings& warnings,
                       HostFacts facts) {
    registry.bind<SystemInfo>([&containers, &images, &warnings, facts = std::move(facts)](
                                  const SystemInfo::Input&, const Call&) {
        return info(containers, images, warnings, facts);
    });
}

}  // namespace berth::tools
