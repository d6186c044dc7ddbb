// SPDX-License-Identifier: Apache-2.0
#include "host/exec/process_tree.h"

#include "tests/support/catch.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace {

/// A reaper of orphans whose child starts a daemonised grandchild, as a supervisor has it.
pid_t start_tree(int ready) {
    const pid_t reaper = ::fork();
    if (reaper != 0) return reaper;
    (void)::prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::fork() == 0) {
        (void)::setsid();
        if (::fork() != 0) ::_exit(0);  // the grandchild is an orphan now
        (void)::setsid();
        (void)::signal(SIGTERM, SIG_IGN);
        (void)!::write(ready, "g", 1);
        for (;;) ::pause();
    }
    if (::fork() == 0) {
        (void)!::write(ready, "c", 1);
        for (;;) ::pause();
    }
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    ::_exit(42);  // nobody is left below
}

}  // namespace

TEST_CASE("everything below a process is killed, daemons included, and the process itself is not",
          "[exec]") {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const pid_t reaper = start_tree(ends[1]);
    (void)::close(ends[1]);
    std::array<char, 2> both{};
    REQUIRE(::read(ends[0], &both[0], 1) == 1);
    REQUIRE(::read(ends[0], &both[1], 1) == 1);
    CHECK(berth::exec::kill_descendants(reaper));
    int status = 0;
    REQUIRE(::waitpid(reaper, &status, 0) == reaper);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 42);
    char more = 0;
    CHECK(::read(ends[0], &more, 1) == 0);  // no writer is alive
    (void)::close(ends[0]);
}

TEST_CASE("a process without children has nothing to kill", "[exec]") {
    const pid_t alone = ::fork();
    if (alone == 0) {
        for (;;) ::pause();
    }
    CHECK(berth::exec::kill_descendants(alone));
    CHECK(::kill(alone, 0) == 0);
    (void)::kill(alone, SIGKILL);
    (void)::waitpid(alone, nullptr, 0);
}

TEST_CASE("nobody can ask for the whole machine", "[exec]") {
    CHECK(berth::exec::kill_descendants(0).error().code == berth::ErrorCode::internal);
    CHECK(berth::exec::kill_descendants(1).error().code == berth::ErrorCode::internal);
}
