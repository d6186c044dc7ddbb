// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/preflight.h"
#include "host/gpu/selector.h"
#include "host/tools/host_tools.h"
#include "tools/tools.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::tools {
namespace {

GpuList::Input::Vendor vendor_of(const gpu::Gpu& gpu) {
    using Vendor = GpuList::Input::Vendor;
    switch (gpu.maker()) {
        case gpu::Vendor::nvidia:
            return Vendor::nvidia;
        case gpu::Vendor::amd:
            return Vendor::amd;
        case gpu::Vendor::intel:
            return Vendor::intel;
        case gpu::Vendor::other:
            return Vendor::other;
    }
    std::unreachable();
}

Gpu::Kind kind_of(gpu::Kind kind) {
    switch (kind) {
        case gpu::Kind::vga:
            return Gpu::Kind::vga;
        case gpu::Kind::three_d:
            return Gpu::Kind::e_3d;
        case gpu::Kind::display:
            return Gpu::Kind::display;
        case gpu::Kind::accelerator:
            return Gpu::Kind::accelerator;
        case gpu::Kind::management:
            return Gpu::Kind::management;
        case gpu::Kind::emulated:
            return Gpu::Kind::emulated;
    }
    std::unreachable();
}

GpuReason reason_of(gpu::Reason reason) {
    switch (reason) {
        case gpu::Reason::no_driver:
            return GpuReason::no_driver;
        case gpu::Reason::vfio_bound:
            return GpuReason::vfio_bound;
        case gpu::Reason::driver_silent:
            return GpuReason::driver_silent;
        case gpu::Reason::node_missing:
            return GpuReason::node_missing;
        case gpu::Reason::version_mismatch:
            return GpuReason::version_mismatch;
        case gpu::Reason::ecc_errors:
            return GpuReason::ecc_errors;
        case gpu::Reason::in_use:
            return GpuReason::in_use;
        case gpu::Reason::persistence_off:
            return GpuReason::persistence_off;
        case gpu::Reason::cdi_unusable:
            return GpuReason::cdi_unusable;
    }
    std::unreachable();
}

/// "16 GT/s x16"
std::string text_of(const gpu::LinkRate& rate) {
    constexpr int ten = 10;
    const int whole = rate.decigigatransfers / ten, tenth = rate.decigigatransfers % ten;
    return tenth == 0 ? fmt::format("{} GT/s x{}", whole, rate.lanes)
                      : fmt::format("{}.{} GT/s x{}", whole, tenth, rate.lanes);
}

std::optional<std::string> holder_of(const gpu::Chosen& chosen, const GpuHeld& held) {
    const auto found = held.find(chosen);
    return found == held.end() ? std::nullopt : std::optional(found->second);
}

void add_nvidia(Gpu& out, const gpu::Gpu& gpu, const GpuHeld& held) {
    if (!gpu.nvidia) return;
    out.uuid = gpu.nvidia->uuid;
    if (gpu.nvidia->minor) out.nvidia_minor = *gpu.nvidia->minor;
    for (const auto& one : gpu.nvidia->mig) {
        const gpu::Chosen chosen{.address = gpu.address,
                                 .mig = std::pair(one.gpu_instance, one.compute_instance)};
        out.mig.push_back(
            {.selector = chosen.to_string(), .uuid = one.uuid, .held_by = holder_of(chosen, held)});
    }
}

Gpu to_gpu(const gpu::Gpu& gpu, std::optional<std::int64_t> index, const gpu::Roots& roots,
           const GpuHeld& held) {
    Gpu out{.address = gpu.address,
            .index = index,
            .kind = kind_of(gpu.kind),
            .vendor_id = fmt::format("{:04x}", gpu.vendor_id),
            .device_id = fmt::format("{:04x}", gpu.device_id),
            .vendor = gpu.vendor,
            .device = gpu.device,
            .driver = gpu.driver,
            .held_by = holder_of({.address = gpu.address}, held),
            .health = std::string(gpu::health_of(gpu, roots)),
            .memory_bytes = gpu.memory_bytes,
            .numa_node = gpu.numa_node,
            .iommu_group = gpu.iommu_group,
            .physical_function = gpu.physical_function,
            .drm_nodes = gpu.drm_nodes};
    add_nvidia(out, gpu, held);
    if (gpu.link) out.link = text_of(gpu.link->now);
    if (gpu.link) out.link_max = text_of(gpu.link->most);
    if (gpu.virtual_functions_max > 0) {
        out.virtual_functions_max = gpu.virtual_functions_max;
        out.virtual_functions = gpu.virtual_functions;
    }
    return out;
}

Result<GpuList::Output> list(gpu::Gpus& gpus, const GpuHolders& holders, const GpuList::Input& in) {
    GpuList::Output out{.gpus = {}, .total = 0};
    const auto held = holders ? BERTH_TRY(holders()) : GpuHeld{};
    std::int64_t next = 0;
    for (const auto& gpu : BERTH_TRY(gpus.list())) {
        const auto index = gpu.counts() ? std::optional(next++) : std::nullopt;
        if (!in.vendor || vendor_of(gpu) == *in.vendor)
            out.gpus.push_back(to_gpu(gpu, index, gpus.roots(), held));
    }
    out.total = static_cast<std::int64_t>(out.gpus.size());
    return out;
}

/// What is held is in use, whoever asks.
void examine_holder(const gpu::Chosen& chosen, const GpuHeld& held,
                    std::vector<gpu::Finding>& findings) {
    for (const auto& [what, holder] : held) {
        if (what.address != chosen.address || (what.mig && chosen.mig && what.mig != chosen.mig))
            continue;
        findings.push_back(
            {.address = chosen.address,
             .reason = gpu::Reason::in_use,
             .blocks = true,
             .message = fmt::format("container '{}' has {}", holder, what.to_string()),
             .next = "delete that container, or take the GPU from it"});
    }
}

Result<std::vector<gpu::Chosen>> wanted(const std::vector<gpu::Gpu>& inventory,
                                        const GpuValidate::Input& in) {
    if (!in.gpus.empty()) return gpu::select(inventory, in.gpus);
    std::vector<gpu::Chosen> all;
    for (const auto& gpu : inventory) {
        if (gpu.real()) all.push_back({.address = gpu.address});
    }
    return all;
}

void append(std::vector<gpu::Finding>& to, std::vector<gpu::Finding> more) {
    std::ranges::move(more, std::back_inserter(to));
}

Result<GpuValidate::Output> validate(gpu::Gpus& gpus, const GpuHolders& holders,
                                     const GpuValidate::Input& in) {
    const auto inventory = BERTH_TRY(gpus.list());
    const auto chosen = BERTH_TRY(wanted(inventory, in));
    const auto held = holders ? BERTH_TRY(holders()) : GpuHeld{};
    const auto& roots = gpus.roots();
    std::optional<Result<std::vector<gpu::SmiReport>>> reports;
    GpuValidate::Output out;
    std::vector<gpu::Finding> findings;
    for (const auto& one : chosen) {
        const auto gpu = BERTH_TRY(gpu::find(inventory, one.address));
        auto its = gpu::examine(gpu, roots);
        append(its, gpu::examine_use(gpu, roots));
        if (!reports && gpu.driver == "nvidia") reports = gpus.report();
        if (reports) append(its, gpu::examine_report(gpu, *reports));
        examine_holder(one, held, its);
        if (std::ranges::none_of(its, &gpu::Finding::blocks)) out.usable.push_back(one.to_string());
        append(findings, std::move(its));
    }
    append(findings, gpu::examine_specs(gpu::cdi::Specs::read(roots)));
    for (auto& finding : findings)
        out.findings.push_back({.address = finding.address,
                                .reason = reason_of(finding.reason),
                                .blocks = finding.blocks,
                                .message = std::move(finding.message),
                                .next = std::move(finding.next)});
    return out;
}

}  // namespace

void bind_gpu_tools(ToolRegistry& registry, gpu::Gpus& gpus, GpuHolders holders) {
    registry.bind<GpuList>([&gpus, holders](const GpuList::Input& in, const Call&) {
        return list(gpus, holders, in);
    });
    registry.bind<GpuValidate>(
        [&gpus, holders = std::move(holders)](const GpuValidate::Input& in, const Call&) {
            return validate(gpus, holders, in);
        });
}

}  // namespace berth::tools
