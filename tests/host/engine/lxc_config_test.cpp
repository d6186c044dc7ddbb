// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/lxc_config.h"

#include "host/engine/lxc/compat_filter.h"
#include "host/engine/lxc/seccomp_profile.h"
#include "tests/support/catch.h"
#include "tests/support/privilege.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

using namespace berth;
using namespace berth::engine;

namespace {

const Spec spec{.id = "0123456789",
                .hostname = "ada",
                .base = "/images/base",
                .uid_base = 1'000'000,
                .limits = {.memory_bytes = 64 << 20, .cpu_percent = 50, .processes = 40},
                .network = {.bridge = "berth0",
                            .mac = "02:be:0a:56:00:02",
                            .ipv4 = "10.86.0.2",
                            .prefix_length = 16,
                            .gateway = "10.86.0.1"},
                .host_files = "/state/guest"};
const LxcPaths paths{.rootfs = "/state/rootfs",
                     .mount_point = "/state/root",
                     .seccomp = "/state/seccomp",
                     .log = "/state/log",
                     .cgroup = "berth",
                     .way_in = "/state/way in",
                     .helper = "/state/agent"};

LxcConfig config() {
    return lxc_config(spec, paths, Cgroups::probe().value()).value();
}

std::vector<std::string> values_of(const LxcConfig& config, std::string_view key) {
    std::vector<std::string> values;
    for (const auto& [name, value] : config) {
        if (name == key) values.push_back(value);
    }
    return values;
}

}  // namespace

TEST_CASE("a container is unprivileged and maps its own range of ids", "[engine]") {
    CHECK(values_of(config(), "lxc.idmap") ==
          std::vector<std::string>{"u 0 1000000 65536", "g 0 1000000 65536"});
}

TEST_CASE("what every container may open is nobody's to take", "[engine]") {
    CHECK(is_usual({.path = "/dev/x", .major = 1, .minor = 3}));
    CHECK(is_usual({.path = "/dev/x", .major = 136, .minor = 9}));
    CHECK_FALSE(is_usual({.path = "/dev/null", .type = 'b', .major = 1, .minor = 3}));
    CHECK_FALSE(is_usual({.path = "/dev/x", .major = 1, .minor = 33}));
    CHECK_FALSE(is_usual({.path = "/dev/x", .major = 195, .minor = 0}));
}

TEST_CASE("all devices are denied before some are allowed, in whichever hierarchy", "[engine]") {
    const auto all = config();
    const auto deny = std::ranges::find_if(
        all, [](const auto& item) { return item.first.ends_with(".devices.deny"); });
    const auto allow = std::ranges::find_if(
        all, [](const auto& item) { return item.first.ends_with(".devices.allow"); });
    REQUIRE(deny != all.end());
    CHECK(deny->second == "a");
    CHECK(deny < allow);
    CHECK(std::ranges::count_if(
              all, [](const auto& item) { return item.first.ends_with(".devices.allow"); }) == 9);
}

TEST_CASE("nothing is included from files of the distribution", "[engine]") {
    CHECK(values_of(config(), "lxc.include").empty());
}

TEST_CASE("every limit is written once, for the hierarchy that has its controller", "[engine]") {
    const auto all = config();
    for (const auto* part : {"memory", "cpu", "pids"}) {
        CAPTURE(part);
        CHECK(std::ranges::any_of(all, [part](const auto& item) {
            return item.first.starts_with("lxc.cgroup") && item.first.contains(part);
        }));
    }
    const auto quota = values_of(all, "lxc.cgroup.cpu.cfs_quota_us");
    const auto unified = values_of(all, "lxc.cgroup2.cpu.max");
    CHECK((quota == std::vector<std::string>{"50000"} ||
           unified == std::vector<std::string>{"50000 100000"}));
}

TEST_CASE("a host without the controllers refuses instead of leaving a container unlimited",
          "[engine]") {
    const auto refused = lxc_config(spec, paths, Cgroups());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::unsupported);
}

TEST_CASE("a container begins with the helper, which is told of init, in a network of its own",
          "[engine]") {
    const auto all = config();
    CHECK(values_of(all, "lxc.init.cmd") ==
          std::vector<std::string>{"/run/berth-way-in/agent /sbin/init"});
    const auto mounts = values_of(all, "lxc.mount.entry");
    const auto run = std::ranges::find_if(
        mounts, [](const auto& entry) { return entry.starts_with("tmpfs run "); });
    const auto place = std::ranges::find_if(mounts, [](const auto& entry) {
        return entry.starts_with("/state/way\\040in run/berth-way-in ");
    });
    const auto helper = std::ranges::find_if(mounts, [](const auto& entry) {
        return entry.starts_with("/state/agent run/berth-way-in/agent ");
    });
    CHECK((run < place && place < helper && helper < mounts.end()));
    CHECK(values_of(all, "lxc.net.0.type") == std::vector<std::string>{"empty"});
}

TEST_CASE("names that the kernel bounds are short enough", "[engine]") {
    CHECK(host_interface(spec.id).size() <= 15);
}

TEST_CASE("the seccomp profile refuses io_uring and says nothing twice", "[engine]") {
    const auto text = seccomp_profile();
    CHECK(text.starts_with("2\ndenylist\n"));
    CHECK(text.contains("\nio_uring_setup errno 38\n"));
    for (std::size_t at = text.find("[all]\n") + 6; at < text.size();
         at = text.find('\n', at) + 1) {
        // A call may stand in several lines when each is about another value of an argument.
        const auto line = text.substr(at, text.find('\n', at) - at);
        const auto once = line.contains('[') ? line + '\n' : line.substr(0, line.find(' ') + 1);
        CAPTURE(once);
        CHECK(text.find('\n' + once, at) == std::string::npos);
    }
}

TEST_CASE("the seccomp profile refuses every family of sockets but six", "[engine]") {
    const auto text = seccomp_profile();
    CHECK(text.contains("\nsocket errno 97 [0,17,SCMP_CMP_GT]\n"));
    for (std::uint32_t family = 0; family <= socket_family_max; ++family) {
        CAPTURE(family);
        CHECK(text.contains(fmt::format("\nsocket errno 97 [0,{},SCMP_CMP_EQ]\n", family)) !=
              is_allowed_family(family));
    }
}

TEST_CASE("every limit of a process is set, and none above what the machine lets berthd give",
          "[engine]") {
    const auto limits = process_limit_config();
    CHECK(limits.size() == RLIM_NLIMITS);
    CHECK(values_of(limits, "lxc.prlimit.core") == std::vector<std::string>{"1:1"});
    for (const auto& limit : limits) {
        CAPTURE(limit.first);
        CHECK(values_of(config(), limit.first) == std::vector<std::string>{limit.second});
    }
}

TEST_CASE("with nesting a process may have as many files as podman asks for", "[engine]") {
    const auto files = [](const Spec& of) {
        const auto made = lxc_config(of, paths, Cgroups::probe().value()).value();
        return values_of(made, "lxc.prlimit.nofile");
    };
    Spec nesting = spec;
    nesting.nesting = true;
    if (files(nesting) == files(spec)) {  // this machine lets berthd give no more
        rlimit own{};
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &own) == 0);
        CHECK(own.rlim_max <= open_files_max);
        return;
    }
    CHECK(files(spec) == std::vector<std::string>{"1024:524288"});
    CHECK(files(nesting) == std::vector<std::string>{"1024:1048576"});
}

TEST_CASE("what tells of the host is covered before init starts", "[engine]") {
    const auto mounts = values_of(config(), "lxc.mount.entry");
    for (const auto* covered : {"/dev/null proc/kcore ", "/dev/null proc/keys ",
                                "tmpfs sys/firmware ", "tmpfs sys/kernel/debug "}) {
        CAPTURE(covered);
        CHECK(std::ranges::any_of(mounts, [covered](const std::string& entry) {
            return entry.starts_with(covered) && entry.contains("ro") && entry.contains("optional");
        }));
    }
}

TEST_CASE("an uncovered /proc and /sys are there for whoever asked for nesting alone", "[engine]") {
    const auto uncovered = [](const LxcConfig& config) {
        return std::ranges::count_if(values_of(config, "lxc.mount.entry"), [](const auto& entry) {
            return entry.contains(" dev/.lxc/");
        });
    };
    CHECK(uncovered(config()) == 0);
    Spec nesting = spec;
    nesting.nesting = true;
    CHECK(uncovered(lxc_config(nesting, paths, Cgroups::probe().value()).value()) == 2);
}

TEST_CASE("after the filter, programs of this machine's own width open sockets as before",
          "[engine]") {
    if (!privileged()) return;
    const pid_t pid = ::fork();
    if (pid == 0) {
        const bool kept = refuse_32bit_families() && ::socket(AF_UNIX, SOCK_STREAM, 0) >= 0 &&
                          ::socket(AF_INET, SOCK_STREAM, 0) >= 0;
        ::_exit(kept ? 0 : 1);
    }
    int status = 1;
    (void)::waitpid(pid, &status, 0);
    CHECK(status == 0);
}
