// SPDX-License-Identifier: Apache-2.0
// Another name for a container that runs.
#include "base/fault.h"
#include "base/files.h"
#include "host/engine/lxc/lxc_engine.h"
#include "host/engine/lxc/rootfs.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace berth::engine {

Result<> LxcEngine::rename(const Spec& spec, const std::vector<SeedFile>& seeds) {
    BERTH_TRY(fault::at("engine.rename"));
    const Fd init = BERTH_TRY(watch(spec.id));
    int problem = 0;
    // A thread of its own, because one that has joined another host name does not come back.
    std::jthread naming([&] {
        if (::setns(init.get(), CLONE_NEWUTS) != 0 ||
            ::sethostname(spec.hostname.c_str(), spec.hostname.size()) != 0)
            problem = errno;
    });
    const Rootfs rootfs(directory(spec.id));
    for (const auto& file : seeds) BERTH_TRY(rootfs.seed_again(file, spec.uid_base));
    naming.join();
    if (problem != 0) return fail(system_error("name the container", problem));
    return {};
}

}  // namespace berth::engine
