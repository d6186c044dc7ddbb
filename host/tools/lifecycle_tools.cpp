// SPDX-License-Identifier: Apache-2.0
// Changing a container that is there, what it uses and holds, and pausing it.
#include "host/tools/host_tools.h"
#include "host/tools/previews.h"
#include "host/tools/shapes.h"
#include "tools/tools.h"

namespace berth::tools {
namespace {

ContainerGpus gpus_of(const container::View& view) {
    return {.container = ContainerName::parse(view.row.name).value(), .gpus = view.gpus};
}

}  // namespace

void bind_lifecycle_tools(ToolRegistry& registry, container::ContainerService& containers) {
    const auto look = [&containers](const auto& in, const Call& call) {
        return preview(containers, in, call);
    };
    registry.bind<ContainerUpdate>(
        [&containers](const ContainerUpdate::Input& in,
                      const Call& call) -> Result<ContainerUpdate::Output> {
            const auto was = BERTH_TRY(containers.get(in.name)).row;
            const auto view =
                BERTH_TRY(containers.update(in.name, BERTH_TRY(wish_of(in)), to_waiting(call)));
            ContainerUpdate::Output out{.container = to_container(view), .restart_required = {}};
            // All the rest holds at once.
            const bool runs = view.state != container::State::stopped;
            if (runs && view.row.no_new_privileges != was.no_new_privileges)
                out.restart_required.emplace_back("no_new_privileges");
            if (runs && view.row.shares != was.shares) out.restart_required.emplace_back("shares");
            return out;
        },
        look);
    registry.bind<ContainerUsage>([&containers](const ContainerUsage::Input& in,
                                                const Call&) -> Result<ContainerUsage::Output> {
        const auto [view, used] = BERTH_TRY(containers.usage(in.name));
        return to_usage(view, used, containers.last_oom_kill(view.row.id));
    });
    registry.bind<ContainerPause>(
        [&containers](const ContainerPause::Input& in,
                      const Call& call) -> Result<ContainerSummary> {
            return to_summary(BERTH_TRY(containers.pause(in.name, to_waiting(call))));
        },
        look);
    registry.bind<ContainerResume>(
        [&containers](const ContainerResume::Input& in,
                      const Call& call) -> Result<ContainerSummary> {
            return to_summary(BERTH_TRY(containers.resume(in.name, to_waiting(call))));
        },
        look);
    registry.bind<GpuAttach>(
        [&containers](const GpuAttach::Input& in, const Call& call) -> Result<ContainerGpus> {
            return gpus_of(BERTH_TRY(
                containers.attach_gpus(in.container, in.gpus, call.caller, to_waiting(call))));
        },
        look);
    registry.bind<GpuDetach>(
        [&containers](const GpuDetach::Input& in, const Call& call) -> Result<ContainerGpus> {
            return gpus_of(
                BERTH_TRY(containers.detach_gpus(in.container, in.gpus, to_waiting(call))));
        },
        look);
}

}  // namespace berth::tools
