// SPDX-License-Identifier: Apache-2.0
#include "host/tools/host_tools.h"
#include "host/tools/previews.h"
#include "host/tools/shapes.h"
#include "tools/tools.h"

namespace berth::tools {
namespace {

Result<PortList::Output> list(container::ContainerService& containers, const PortList::Input& in) {
    const auto views = BERTH_TRY(one_or_all(containers, in.container));
    PortList::Output out{.ports = {}, .total = 0};
    for (const auto& view : views) {
        for (const auto& port : view.ports) out.ports.push_back(to_forward(port, view.row.name));
    }
    out.total = static_cast<std::int64_t>(out.ports.size());
    std::ranges::sort(out.ports, {}, [](const PortForward& forward) {
        return std::pair(forward.protocol, forward.host_port);
    });
    if (out.total > in.limit) out.ports.erase(out.ports.begin() + in.limit, out.ports.end());
    return out;
}

}  // namespace

void bind_port_tools(ToolRegistry& registry, container::ContainerService& containers) {
    registry.bind<PortAdd>(
        [&containers](const PortAdd::Input& in, const Call&) -> Result<PortForward> {
            const auto wish = to_wish(in.container_port, in.host_port, in.protocol);
            return to_forward(BERTH_TRY(containers.add_port(in.container, wish)),
                              in.container.to_string());
        },
        [&containers](const PortAdd::Input& in, const Call&) { return preview(containers, in); });
    registry.bind<PortList>(
        [&containers](const PortList::Input& in, const Call&) { return list(containers, in); });
    registry.bind<PortRemove>(
        [&containers](const PortRemove::Input& in, const Call&) -> Result<PortForward> {
            const auto [port, container] = BERTH_TRY(
                containers.remove_port(in.protocol == Protocol::udp ? "udp" : "tcp", in.host_port));
            return to_forward(port, container);
        },
        [&containers](const PortRemove::Input& in, const Call&) {
            return preview(containers, in);
        });
}

}  // namespace berth::tools
