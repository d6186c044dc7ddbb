// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/seccomp_profile.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace berth::engine {
namespace {

struct Denied {
    std::string_view call;
    int error;
};

// ENOSYS where programs fall back by themselves when the kernel lacks the call; EPERM elsewhere.
constexpr std::array denied{
    // A second system-call interface with a long record of kernel bugs.
    Denied{"io_uring_setup", ENOSYS},
    Denied{"io_uring_enter", ENOSYS},
    Denied{"io_uring_register", ENOSYS},
    // Replacing or extending the running kernel.
    Denied{"kexec_load", EPERM},
    Denied{"kexec_file_load", EPERM},
    Denied{"init_module", EPERM},
    Denied{"finit_module", EPERM},
    Denied{"delete_module", EPERM},
    Denied{"bpf", EPERM},
    // Files by handle go past the container's root.
    Denied{"open_by_handle_at", EPERM},
    // Keyrings are not namespaced.
    Denied{"add_key", ENOSYS},
    Denied{"keyctl", ENOSYS},
    Denied{"request_key", ENOSYS},
    // Primitives that kernel exploits are built from.
    Denied{"userfaultfd", EPERM},
    Denied{"perf_event_open", EPERM},
    Denied{"vmsplice", EPERM},
    // Host-wide state.
    Denied{"swapon", EPERM},
    Denied{"swapoff", EPERM},
    Denied{"acct", EPERM},
    Denied{"quotactl", EPERM},
    Denied{"quotactl_fd", EPERM},
    Denied{"lookup_dcookie", EPERM},
    Denied{"iopl", EPERM},
    Denied{"ioperm", EPERM},
    Denied{"nfsservctl", ENOSYS},
    Denied{"uselib", ENOSYS},
    Denied{"ustat", ENOSYS},
    Denied{"_sysctl", ENOSYS},
};

}  // namespace

std::string seccomp_profile() {
    std::string text = "2\ndenylist\nreject_force_umount\n[all]\n";
    for (const auto& [call, error] : denied) text += fmt::format("{} errno {}\n", call, error);
    return text;
}

}  // namespace berth::engine
