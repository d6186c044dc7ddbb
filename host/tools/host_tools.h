// SPDX-License-Identifier: Apache-2.0
// The tools of one host: from the contract's typed inputs to the rooms below, and back. What is
// bound here is everything an agent, a script or a person can ask of a host.
#pragma once

#include "host/container/container_service.h"
#include "host/engine/lxc/cgroups.h"
#include "host/gpu/gpus.h"
#include "host/operation/operations.h"
#include "host/snapshot/snapshot_service.h"
#include "host/transfer/export_directory.h"
#include "host/transfer/transfer_service.h"
#include "host/warning/warnings.h"
#include "tools-schema/registry/tool_registry.h"
#include "tools/types.h"

#include <functional>
#include <map>
#include <string>

namespace berth::tools {

/// What system_info tells that does not change while berthd runs.
struct HostFacts {
    std::string version;
    std::string engine;
    engine::CgroupLayout cgroup_layout = engine::CgroupLayout::unified;
    std::string bridge;
    std::string subnet;
    std::vector<Feature> features;
};

void bind_container_tools(ToolRegistry& registry, container::ContainerService& containers);
void bind_lifecycle_tools(ToolRegistry& registry, container::ContainerService& containers);
void bind_operation_tools(ToolRegistry& registry, operation::Operations& operations);
void bind_port_tools(ToolRegistry& registry, container::ContainerService& containers);
void bind_snapshot_tools(ToolRegistry& registry, snapshot::SnapshotService& snapshots,
                         container::ContainerService& containers);
void bind_ssh_tools(ToolRegistry& registry, container::ContainerService& containers);
/// What of the GPUs is held, and by which container.
using GpuHeld = std::map<gpu::Chosen, std::string>;
using GpuHolders = std::function<Result<GpuHeld>()>;
/// Without `holders`, nobody holds any.
void bind_gpu_tools(ToolRegistry& registry, gpu::Gpus& gpus, GpuHolders holders = {});
void bind_system_tools(ToolRegistry& registry, container::ContainerService& containers,
                       const image::ImageStore& images, warning::Warnings& warnings,
                       HostFacts facts);
void bind_transfer_tools(ToolRegistry& registry, transfer::TransferService& transfers,
                         container::ContainerService& containers,
                         transfer::ExportDirectory exports);
void bind_warning_tools(ToolRegistry& registry, warning::Warnings& warnings);

}  // namespace berth::tools
