// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/compat_filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace berth::engine {

static_assert(socket_family_max == AF_PACKET);

bool is_allowed_family(std::uint32_t family) {
    return family == AF_UNSPEC || family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
           family == AF_NETLINK || family == AF_PACKET;
}

#ifdef __x86_64__

bool refuse_32bit_families() {
    constexpr std::uint32_t socket_call = 359;
    constexpr std::uint32_t socketpair_call = 360;
    constexpr auto load = [](std::size_t offset) {
        return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
    };
    constexpr auto jump_if = [](std::uint32_t value, std::uint8_t yes, std::uint8_t no) {
        return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, yes, no, value};
    };
    constexpr auto answer = [](std::uint32_t value) {
        return sock_filter{BPF_RET | BPF_K, 0, 0, value};
    };
    std::array program{load(offsetof(seccomp_data, arch)),
                       jump_if(AUDIT_ARCH_I386, 0, 10),
                       load(offsetof(seccomp_data, nr)),
                       jump_if(socket_call, 1, 0),
                       jump_if(socketpair_call, 0, 7),
                       load(offsetof(seccomp_data, args)),
                       jump_if(AF_UNIX, 5, 0),
                       jump_if(AF_INET, 4, 0),
                       jump_if(AF_INET6, 3, 0),
                       jump_if(AF_NETLINK, 2, 0),
                       jump_if(AF_PACKET, 1, 0),
                       answer(SECCOMP_RET_ERRNO | EAFNOSUPPORT),
                       answer(SECCOMP_RET_ALLOW)};
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

#else

bool refuse_32bit_families() {
    return true;  // other machines' 32-bit calls have names that the profile can say
}

#endif

}  // namespace berth::engine
