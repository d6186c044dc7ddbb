// SPDX-License-Identifier: Apache-2.0
// What a call that changes a host would do, found out by looking alone. Each fails as the call
// itself would, as far as that can be known beforehand.
#pragma once

#include "host/container/container_service.h"
#include "tools-schema/registry/runner.h"
#include "tools/tools.h"

namespace berth::tools {

[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const ContainerCreate::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const ContainerDelete::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const ContainerStart::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const ContainerStop::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const ContainerExec::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const ContainerUpdate::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const ContainerPause::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const ContainerResume::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const GpuAttach::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const GpuDetach::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const PortAdd::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const PortRemove::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const SshKeyAdd::Input& in);

}  // namespace berth::tools
