// SPDX-License-Identifier: Apache-2.0
#include "host/tools/host_tools.h"
#include "host/tools/previews.h"
#include "host/tools/shapes.h"
#include "tools/tools.h"

namespace berth::tools {
namespace {

Result<ContainerList::Output> list(container::ContainerService& containers,
                                   const ContainerList::Input& in) {
    ContainerList::Output out{.containers = {}, .total = 0};
    for (const auto& view : BERTH_TRY(containers.list())) {
        auto summary = to_summary(view);
        if (in.state && summary.state != *in.state) continue;
        ++out.total;
        const bool wanted = !in.after || summary.name > *in.after;
        if (wanted && static_cast<std::int64_t>(out.containers.size()) < in.limit)
            out.containers.push_back(std::move(summary));
    }
    return out;
}

Result<ContainerExec::Output> run(container::ContainerService& containers,
                                  const ContainerExec::Input& in, const Call& call) {
    exec::Request request{.launch = {.argv = in.argv, .user = in.user.to_string()},
                          .input = in.stdin.value_or(""),
                          .timeout = std::chrono::seconds(in.timeout_seconds),
                          .output_bytes_max = static_cast<std::size_t>(in.output_bytes_max)};
    if (in.cwd) request.launch.directory = in.cwd->to_string();
    for (const auto& variable : in.env) request.launch.environment.push_back(variable.to_string());
    const auto outcome = BERTH_TRY(containers.run(in.container, request, call.cancelled));
    return ContainerExec::Output{.exit_code = outcome.exit_code,
                                 .signal = outcome.signal,
                                 .timed_out = outcome.timed_out,
                                 .duration_ms = outcome.duration.count(),
                                 .stdout = to_stream(outcome.output),
                                 .stderr = to_stream(outcome.errors)};
}

}  // namespace

void bind_container_tools(ToolRegistry& registry, container::ContainerService& containers) {
    const auto look = [&containers](const auto& in, const Call&) {
        return preview(containers, in);
    };
    registry.bind<ContainerCreate>(
        [&containers](const ContainerCreate::Input& in, const Call& call) -> Result<Container> {
            return to_container(BERTH_TRY(containers.create(wish_of(in), to_waiting(call))));
        },
        look);
    registry.bind<ContainerGet>(
        [&containers](const ContainerGet::Input& in, const Call&) -> Result<Container> {
            return to_container(BERTH_TRY(containers.get(in.name)));
        });
    registry.bind<ContainerList>([&containers](const ContainerList::Input& in, const Call&) {
        return list(containers, in);
    });
    registry.bind<ContainerStart>(
        [&containers](const ContainerStart::Input& in,
                      const Call& call) -> Result<ContainerSummary> {
            return to_summary(BERTH_TRY(containers.start(in.name, to_waiting(call))));
        },
        look);
    registry.bind<ContainerStop>(
        [&containers](const ContainerStop::Input& in,
                      const Call& call) -> Result<ContainerSummary> {
            return to_summary(BERTH_TRY(
                containers.stop(in.name, static_cast<int>(in.timeout_seconds), to_waiting(call))));
        },
        look);
    registry.bind<ContainerDelete>(
        [&containers](const ContainerDelete::Input& in,
                      const Call& call) -> Result<ContainerDelete::Output> {
            BERTH_TRY(containers.remove(in.name, in.force, to_waiting(call)));
            return ContainerDelete::Output{.name = in.name, .deleted = true};
        },
        look);
    registry.bind<ContainerExec>(
        [&containers](const ContainerExec::Input& in, const Call& call) {
            return run(containers, in, call);
        },
        look);
}

}  // namespace berth::tools
