// SPDX-License-Identifier: Apache-2.0
// A network of a test's own, with a /sys that shows it; both are gone when the test's process is.
#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {

/// Runs `body` in a process with its own network and mounts; true when it returned true.
template <class Body>
bool in_network_namespace(Body body) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        const bool apart = ::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
                           ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                           ::mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0;
        ::_exit(apart && body() ? 0 : 1);
    }
    int status = 1;
    (void)::waitpid(pid, &status, 0);
    return status == 0;
}

}  // namespace berth
