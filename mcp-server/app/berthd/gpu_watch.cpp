// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/berthd/gpu_watch.h"

#include "base/log.h"
#include "host/gpu/cdi.h"
#include "host/gpu/inventory.h"

#include <fmt/format.h>

namespace berth::app {

gpu::Roots gpu_roots(const DaemonOptions& options) {
    return {.sysfs = options.sysfs_root,
            .proc = options.proc_root,
            .dev = options.dev_root,
            .etc_cdi = options.cdi_dir,
            .var_run_cdi = options.cdi_run_dir,
            .libraries = options.libraries_root,
            .nvidia_smi = options.nvidia_smi};
}

std::unique_ptr<gpu::Watcher> watch_gpus(const DaemonOptions& options, events::Events& events,
                                         warning::Warnings& warnings,
                                         container::ContainerService& containers) {
    auto uevents = gpu::open_uevents();
    if (uevents)
        return std::make_unique<gpu::Watcher>(*std::move(uevents), gpu_roots(options), events,
                                              warnings,
                                              [&containers] { containers.renew_devices(); });
    log::warning("GPUs are not watched", {{"error", uevents.error().message}});
    return nullptr;
}

Result<> write_cdi(const DaemonOptions& options, const std::string& output) {
    const auto roots = gpu_roots(options);
    const Json spec = BERTH_TRY(gpu::cdi::spec_of(BERTH_TRY(gpu::inventory(roots)), roots));
    if (!output.empty()) return gpu::cdi::write_spec(spec, output);
    fmt::print("{}\n", to_pretty_text(spec));
    return {};
}

}  // namespace berth::app
