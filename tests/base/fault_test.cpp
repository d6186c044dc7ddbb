// SPDX-License-Identifier: Apache-2.0
#include "base/fault.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

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

TEST_CASE("a point that holds goes on once the file is gone, and others are not held", "[base]") {
    const TemporaryDirectory directory;
    directory.write("fault", "engine.mount hold");
    fault::watch(directory.path() / "fault");
    CHECK(fault::at("engine.seed"));
    std::atomic<bool> passed = false;
    std::jthread held([&] { passed = fault::at("engine.mount").has_value(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK_FALSE(passed);
    std::filesystem::remove(directory.path() / "fault");
    held.join();
    CHECK(passed);
    fault::watch("");
}
#endif
