// SPDX-License-Identifier: Apache-2.0
#include "base/fault.h"

#include "base/fd.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <future>

#ifdef BERTH_FAULTS
using namespace berth;

TEST_CASE("a point fails when it is named, once, and no other does", "[base]") {
    const TemporaryDirectory directory;
    fault::watch(directory.path() / "fault");
    CHECK(fault::at("engine.mount"));
    directory.write("fault", "engine.mount");
    CHECK(fault::at("engine.seed"));
    const auto failed = fault::at("engine.mount");
    REQUIRE_FALSE(failed);
    CHECK(failed.error().message.contains("engine.mount"));
    CHECK(fault::at("engine.mount"));
    fault::watch("");
}

TEST_CASE("a point that kills does so before anything else happens, once", "[base]") {
    const TemporaryDirectory directory;
    directory.write("fault", "engine.mount kill");
    const pid_t child = ::fork();
    if (child == 0) {
        fault::watch(directory.path() / "fault");
        (void)fault::at("engine.mount");
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    CHECK_FALSE(std::filesystem::exists(directory.path() / "fault"));
}

TEST_CASE("a point that holds does so while the file is locked, and others are not held",
          "[base]") {
    const TemporaryDirectory directory;
    directory.write("fault", "engine.mount hold");
    fault::watch(directory.path() / "fault");
    Fd lock(::open((directory.path() / "fault").c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(::flock(lock.get(), LOCK_EX) == 0);
    CHECK(fault::at("engine.seed"));
    auto held =
        std::async(std::launch::async, [] { return fault::at("engine.mount").has_value(); });
    CHECK(held.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout);
    std::filesystem::remove(directory.path() / "fault");
    lock.reset();
    CHECK(held.get());
    fault::watch("");
}
#endif
