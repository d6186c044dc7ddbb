// SPDX-License-Identifier: Apache-2.0
// The unified hierarchy (cgroup v2), also on a machine whose controllers are mounted the old way:
// its freezer and its lists of processes are there in any case, and the rest is files of a form.
#include "host/engine/lxc/cgroups.h"

#include "base/files.h"
#include "host/engine/lxc/limit_settings.h"
#include "host/engine/lxc/usage.h"
#include "tests/support/catch.h"
#include "tests/support/privilege.h"
#include "tests/support/temporary_directory.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

using namespace berth;
using namespace berth::engine;
namespace fs = std::filesystem;

namespace {

/// Where this machine has the unified hierarchy; "" when it has none.
fs::path unified_root() {
    for (const auto* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        if (Cgroups::file_system_of(root) == CGROUP2_SUPER_MAGIC) return root;
    }
    return {};
}

long everything_is_unified(const fs::path&) {
    return CGROUP2_SUPER_MAGIC;
}

/// A process in a group of its own, both gone with the test.
struct Sleeper {
    explicit Sleeper(const fs::path& root) : directory(root / group) {
        fs::create_directory(directory);
        pid = ::fork();
        if (pid == 0) {
            for (;;) (void)::pause();
        }
        REQUIRE(write_kernel_file(directory / "cgroup.procs", std::to_string(pid)));
    }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;
    ~Sleeper() {
        end();
        (void)::rmdir(directory.c_str());
    }
    void end() {
        if (pid <= 0) return;
        (void)::kill(pid, SIGKILL);
        (void)::waitpid(pid, nullptr, 0);
        pid = -1;
    }
    std::string group = "berth-test-" + random_hex(4);
    fs::path directory;
    pid_t pid = -1;
};

}  // namespace

TEST_CASE("a group of the unified hierarchy is halted and goes on, and goes when it is empty",
          "[limits]") {
    const auto root = unified_root();
    if (!privileged() || root.empty()) return;
    const auto cgroups = Cgroups::probe(root).value();
    CHECK(cgroups.layout() == CgroupLayout::unified);
    Sleeper sleeper(root);
    CHECK(cgroups.processes(sleeper.group) == std::vector{sleeper.pid});
    for (int round = 0; round < 2; ++round) {
        REQUIRE(set_frozen(cgroups, sleeper.group, true));
        REQUIRE(set_frozen(cgroups, sleeper.group, true));
        CHECK(is_frozen(cgroups, sleeper.group));
        REQUIRE(set_frozen(cgroups, sleeper.group, false));
        CHECK_FALSE(is_frozen(cgroups, sleeper.group));
    }
    cgroups.remove(sleeper.group);
    CHECK(fs::exists(sleeper.directory));  // somebody is in it
    sleeper.end();
    cgroups.remove(sleeper.group);
    CHECK_FALSE(fs::exists(sleeper.directory));
    CHECK(cgroups.processes(sleeper.group).empty());
}

TEST_CASE("a process that is set apart is below its group, and not in it", "[limits]") {
    const auto root = unified_root();
    if (!privileged() || root.empty()) return;
    const auto cgroups = Cgroups::probe(root).value();
    Sleeper sleeper(root);
    for (int time = 0; time < 2; ++time)
        REQUIRE(cgroups.set_apart(sleeper.group, "apart", sleeper.pid));
    CHECK(read_file(sleeper.directory / "cgroup.procs").value() == "");
    CHECK(cgroups.processes(sleeper.group + "/apart") == std::vector{sleeper.pid});
    CHECK(cgroups.processes(sleeper.group) == std::vector{sleeper.pid});
    CHECK_FALSE(cgroups.set_apart(sleeper.group, "apart", 1 << 30));
    sleeper.end();
    cgroups.remove(sleeper.group);
    CHECK_FALSE(fs::exists(sleeper.directory));
}

TEST_CASE("what is used is read from the unified hierarchy's files", "[limits]") {
    const TemporaryDirectory directory;
    directory.write("cgroup.controllers", "cpu io memory pids\n");
    directory.write("berth/one/memory.current", "4096\n");
    directory.write("berth/one/cpu.stat", "usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n");
    directory.write("berth/one/pids.current", "7\n");
    const auto cgroups = Cgroups::probe(directory.path(), everything_is_unified).value();
    const auto used = running_use(cgroups, "berth/one", "lo");
    REQUIRE(used);
    CHECK(used->memory_bytes == 4096);
    CHECK(used->cpu_ms == 2500);
    CHECK(used->processes == 7);
    CHECK_FALSE(running_use(cgroups, "berth/none", "lo"));
    CHECK(cgroups.children("berth") == std::vector<std::string>{"one"});
}
