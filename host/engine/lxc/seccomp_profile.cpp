// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/seccomp_profile.h"

#include "host/engine/lxc/compat_filter.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <limits>
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
    // The kernel's log is the host's.
    Denied{"syslog", EPERM},
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

/// A call that is refused for some values of one argument.
struct DeniedValue {
    std::string_view call;
    int error;
    int argument;
    std::uint32_t value;
};

// Compared in the 32 bits that the kernel looks at: the upper half of the register is the caller's
// to choose.
constexpr std::array denied_values{
    // Letters put into the terminal of whoever looks at a container.
    DeniedValue{"ioctl", EPERM, 1, 0x5412},  // TIOCSTI
    DeniedValue{"ioctl", EPERM, 1, 0x541C},  // TIOCLINUX
    // The 32-bit call for sockets hides its family in memory, where no filter can look.
    DeniedValue{"socketcall", ENOSYS, 0, 1},
};

std::string family_rules() {
    std::string text;
    for (const std::string_view call : {"socket", "socketpair"}) {
        // "Greater" is of all 64 bits, so that a family with upper bits set is refused here too.
        text +=
            fmt::format("{} errno {} [0,{},SCMP_CMP_GT]\n", call, EAFNOSUPPORT, socket_family_max);
        for (std::uint32_t family = 0; family < socket_family_max; ++family) {
            if (!is_allowed_family(family))
                text += fmt::format("{} errno {} [0,{},SCMP_CMP_EQ]\n", call, EAFNOSUPPORT, family);
        }
    }
    return text;
}

}  // namespace

std::string seccomp_profile() {
    std::string text = "2\ndenylist\nreject_force_umount\n[all]\n";
    for (const auto& [call, error] : denied) text += fmt::format("{} errno {}\n", call, error);
    for (const auto& [call, error, argument, value] : denied_values) {
        text += fmt::format("{} errno {} [{},{},SCMP_CMP_MASKED_EQ,{}]\n", call, error, argument,
                            value, std::numeric_limits<std::uint32_t>::max());
    }
    return text + family_rules();
}

}  // namespace berth::engine
