// SPDX-License-Identifier: Apache-2.0
#include "base/descriptor_limit.h"

#include <sys/resource.h>

#include <atomic>

namespace berth {
namespace {

std::atomic<rlim_t> usual = 0;  // 0: it was not raised

}  // namespace

std::uint64_t raise_descriptor_limit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) != 0) return limit.rlim_cur;
    rlim_t never = 0;
    usual.compare_exchange_strong(never, limit.rlim_cur);
    return raised.rlim_cur;
}

void usual_descriptor_limit(pid_t process) noexcept {
    rlimit limit{};
    if (usual == 0 || ::prlimit(process, RLIMIT_NOFILE, nullptr, &limit) != 0) return;
    limit.rlim_cur = usual;
    (void)::prlimit(process, RLIMIT_NOFILE, &limit, nullptr);
}

}  // namespace berth
