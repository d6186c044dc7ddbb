// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/gpus.h"

#include "host/gpu/cdi.h"
#include "host/gpu/nvidia.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

namespace berth::gpu {
namespace {

/// The nodes of a MIG instance that no other has.
std::set<std::string> capability_nodes(int minor, const MigInstance& one, const Roots& roots) {
    std::set<std::string> nodes;
    for (const int part : {-1, one.compute_instance}) {
        if (const auto capability = nvidia::capability_of(minor, one.gpu_instance, part, roots))
            nodes.insert(fmt::format("/dev/nvidia-caps/nvidia-cap{}", capability->minor));
    }
    return nodes;
}

/// A spec that names a device by the UUID of a MIG instance also says which nodes open it.
void add_instance_uuids(std::vector<Gpu>& gpus, const Roots& roots) {
    const auto specs = cdi::Specs::read(roots);
    for (const auto& name : specs.names()) {
        const auto equals = name.find('=');
        const std::string uuid = name.substr(equals + 1);
        if (!uuid.starts_with("MIG-")) continue;
        std::set<std::string> opens;
        for (const auto& node : specs.find(name)->device_nodes) opens.insert(node.path);
        for (auto& gpu : gpus) {
            if (!gpu.nvidia || !gpu.nvidia->minor) continue;
            for (auto& one : gpu.nvidia->mig) {
                const auto own = capability_nodes(*gpu.nvidia->minor, one, roots);
                if (!own.empty() && std::ranges::includes(opens, own)) one.uuid = uuid;
            }
        }
    }
}

}  // namespace

Result<std::vector<Gpu>> Gpus::list() {
    auto gpus = BERTH_TRY(inventory(roots_));
    add_memory(gpus);
    const bool cut = std::ranges::any_of(
        gpus, [](const Gpu& gpu) { return gpu.nvidia && !gpu.nvidia->mig.empty(); });
    if (cut) add_instance_uuids(gpus, roots_);
    return gpus;
}

void Gpus::add_memory(std::vector<Gpu>& gpus) {
    constexpr auto pause = std::chrono::minutes(1);
    const auto asked_for = [](const Gpu& gpu) {
        return gpu.driver == "nvidia" && gpu.nvidia && !gpu.memory_bytes;
    };
    const auto key = [](const Gpu& gpu) { return Key(gpu.address, gpu.nvidia->uuid.value_or("")); };
    const std::lock_guard lock(mutex_);
    const bool news = std::ranges::any_of(
        gpus, [&](const Gpu& gpu) { return asked_for(gpu) && !memory_.contains(key(gpu)); });
    if (news && std::chrono::steady_clock::now() >= ask_again_at_) {
        const auto reports = report();
        if (!reports) ask_again_at_ = std::chrono::steady_clock::now() + pause;
        for (const auto& gpu : gpus) {
            if (!reports || !asked_for(gpu)) continue;
            const auto told = std::ranges::find(*reports, gpu.address, &SmiReport::address);
            memory_[key(gpu)] = told == reports->end() ? std::nullopt : told->memory_bytes;
        }
    }
    for (auto& gpu : gpus) {
        if (!asked_for(gpu)) continue;
        if (const auto known = memory_.find(key(gpu)); known != memory_.end())
            gpu.memory_bytes = known->second;
    }
}

}  // namespace berth::gpu
