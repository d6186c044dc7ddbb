// SPDX-License-Identifier: Apache-2.0
// The GPUs of the host as berthd's options say where to find them: watched, and described to
// others.
#pragma once

#include "host/container/container_service.h"
#include "host/gpu/watcher.h"
#include "mcp-server/app/berthd/options.h"

#include <memory>
#include <string>

namespace berth::app {

[[nodiscard]] gpu::Roots gpu_roots(const DaemonOptions& options);

/// Whatever a look finds, running containers are given what is theirs now.
/// Nothing, and a line in the log, where the kernel tells nobody of its devices.
[[nodiscard]] std::unique_ptr<gpu::Watcher> watch_gpus(const DaemonOptions& options,
                                                       events::Events& events,
                                                       warning::Warnings& warnings,
                                                       container::ContainerService& containers);

/// Writes the CDI spec of this host's GPUs to `output`, whole or not at all; "" is standard output.
[[nodiscard]] Result<> write_cdi(const DaemonOptions& options, const std::string& output);

}  // namespace berth::app
