// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/init_ending.h"

#include <sys/ioctl.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstdint>

namespace berth::engine {
namespace {

/// struct pidfd_info of linux/pidfd.h as Linux 6.15 has it; Debian 12's header is older.
struct PidfdInfo {
    std::uint64_t mask;
    std::uint64_t cgroup;
    std::array<std::uint32_t, 11> ids;
    std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);  // PIDFD_INFO_SIZE_VER0

constexpr unsigned long pidfd_get_info = _IOWR(0xFF, 11, PidfdInfo);
constexpr std::uint64_t pidfd_info_exit = 1U << 3U;

}  // namespace

std::optional<int> exit_status_of(const Fd& pidfd) {
    PidfdInfo info{};
    info.mask = pidfd_info_exit;
    if (::ioctl(pidfd.get(), pidfd_get_info, &info) != 0) return std::nullopt;
    if ((info.mask & pidfd_info_exit) == 0) return std::nullopt;
    return info.exit_code;
}

Ending ending_of(int wait_status) {
    if (WIFEXITED(wait_status))
        return WEXITSTATUS(wait_status) == 0 ? Ending::clean : Ending::failed;
    if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGINT) return Ending::clean;
    if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGHUP) return Ending::rebooted;
    return Ending::failed;
}

}  // namespace berth::engine
