// SPDX-License-Identifier: Apache-2.0
// Whether a GPU can be given to a container, found out before anybody needs it.
#pragma once

#include "host/gpu/cdi.h"
#include "host/gpu/gpu.h"
#include "host/gpu/nvidia_smi.h"
#include "host/gpu/roots.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::gpu {

/// Worst first.
enum class Reason : std::uint8_t {
    no_driver,
    vfio_bound,
    driver_silent,
    node_missing,
    version_mismatch,
    ecc_errors,
    in_use,
    persistence_off,
    cdi_unusable
};

struct Finding {
    std::optional<PciAddress> address;  // nothing: of all GPUs
    Reason reason;
    bool blocks = false;  // whether it cannot be given to a container
    std::string message;
    std::string next;
};

/// "no_driver"
[[nodiscard]] std::string_view to_string(Reason reason);

/// What its files tell: driver, nodes, versions, memory errors. Nothing for what computes nothing.
[[nodiscard]] std::vector<Finding> examine(const Gpu& gpu, const Roots& roots);

/// The first reason of those, or "ok".
[[nodiscard]] std::string_view health_of(const Gpu& gpu, const Roots& roots);

/// Processes of this machine that have it open.
[[nodiscard]] std::vector<Finding> examine_use(const Gpu& gpu, const Roots& roots);

/// What NVIDIA's tool tells of it: errors of memory, and whether the driver stays loaded.
[[nodiscard]] std::vector<Finding> examine_report(const Gpu& gpu,
                                                  const Result<std::vector<SmiReport>>& reports);

/// Spec files that are not used, and why.
[[nodiscard]] std::vector<Finding> examine_specs(const cdi::Specs& specs);

}  // namespace berth::gpu
