// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/process.h"

#include "base/files.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

namespace berth {

Result<Fd> take_ending_signals() {
    (void)::signal(SIGPIPE, SIG_IGN);
    sigset_t signals;
    (void)::sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) (void)::sigaddset(&signals, number);
    if (::pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) {
        return fail(system_error("block signals", errno));
    }
    Fd fd(::signalfd(-1, &signals, SFD_CLOEXEC));
    if (!fd) return fail(system_error("take signals", errno));
    return fd;
}

Result<Fd> take_standard_output() {
    Fd output(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!output || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        return fail(system_error("take standard output", errno));
    }
    return output;
}

void end_with_parent() {
    (void)::prctl(PR_SET_PDEATHSIG, SIGTERM);
}

}  // namespace berth
