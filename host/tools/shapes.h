// SPDX-License-Identifier: Apache-2.0
// Values of the rooms as values of the contract.
#pragma once

#include "host/container/container_service.h"
#include "tools-schema/registry/invoker.h"
#include "tools/tools.h"

namespace berth::tools {

/// The container of that name, or all when none is given; an unknown one is not_found at
/// /container.
[[nodiscard]] Result<std::vector<container::View>> one_or_all(
    container::ContainerService& containers, const std::optional<ContainerName>& name);

[[nodiscard]] store::Restart to_restart(RestartPolicy policy);
[[nodiscard]] Container to_container(const container::View& view);
/// The same for a preview, which goes to a person's screen: without the values of variables.
[[nodiscard]] Json to_target(const container::View& view);
[[nodiscard]] ContainerUsage::Output to_usage(const container::View& view,
                                              const engine::Usage& used,
                                              const std::optional<container::LastOomKill>& killed);
[[nodiscard]] ContainerSummary to_summary(const container::View& view);
[[nodiscard]] PortForward to_forward(const store::Port& port, const std::string& container);
[[nodiscard]] OutputStream to_stream(const exec::Output& output);
[[nodiscard]] container::PortWish to_wish(std::int64_t container_port,
                                          std::optional<std::int64_t> host_port, Protocol protocol);

/// invalid_argument for a label whose key is there twice.
[[nodiscard]] Result<container::CreateWish> wish_of(const ContainerCreate::Input& in);
[[nodiscard]] Result<container::UpdateWish> wish_of(const ContainerUpdate::Input& in);
[[nodiscard]] container::Waiting to_waiting(const Call& call);

}  // namespace berth::tools
