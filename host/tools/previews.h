// SPDX-License-Identifier: Apache-2.0
// What a call that changes a host would do, found out by looking alone. Each fails as the call
// itself would, as far as that can be known beforehand.
#pragma once

#include "host/container/container_service.h"
#include "tools-schema/registry/runner.h"
#include "tools/tools.h"

namespace berth::tools {

[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const ContainerCreate::Input& in, const std::string& caller);
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
                                      const GpuAttach::Input& in, const std::string& caller);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const GpuDetach::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const PortAdd::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const PortRemove::Input& in);
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers,
                                      const SshKeyAdd::Input& in);

/// As it is bound: those that depend on it hear who calls.
template <class Input>
[[nodiscard]] Result<Preview> preview(container::ContainerService& containers, const Input& in,
                                      const Call& call) {
    if constexpr (requires { preview(containers, in, call.caller); })
        return preview(containers, in, call.caller);
    else
        return preview(containers, in);
}

}  // namespace berth::tools
